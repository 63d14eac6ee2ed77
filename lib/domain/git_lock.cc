#include "domain/git_lock.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/worktree.hh"
#include "sys/file_lock.hh"
#include "sys/path.hh"
#include "sys/process.hh"

#include <algorithm>
#include <array>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <thread>

namespace ap {

namespace {

// File systems that one machine has for itself: ext, xfs, btrfs, tmpfs, overlay, zfs,
// f2fs and bcachefs.
constexpr auto own_file_systems =
    std::to_array<unsigned long>({0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630,
                                  0x2fc12fc1, 0xf2f52010, 0xca451a4e});

bool is_of_this_machine(const std::string &path)
{
    struct statfs status = {};
    if (statfs(path.c_str(), &status) != 0) {
        return false;
    }
    const auto type = static_cast<unsigned long>(status.f_type) & 0xffffffff;
    return std::find(own_file_systems.begin(), own_file_systems.end(), type) !=
           own_file_systems.end();
}

std::string git_path(const std::string &directory, const std::string &what)
{
    return std::string(trim(
        run_git(directory, {"rev-parse", "--path-format=absolute", "--git-path", what})));
}

// What tells one file at the path from the next; empty if there is none.
std::string identity_of(const std::string &path)
{
    struct stat status = {};
    if (lstat(path.c_str(), &status) != 0) {
        return {};
    }
    return std::to_string(status.st_ino) + " " + std::to_string(status.st_size) + " " +
           std::to_string(status.st_ctim.tv_sec) + "." +
           std::to_string(status.st_ctim.tv_nsec);
}

std::vector<ProcessIdentity> gits_at_work(const std::string &directory)
{
    std::vector<ProcessIdentity> found;
    const std::string list = run_git(directory, {"worktree", "list", "--porcelain"});
    for (const std::string_view line : split(list, '\n')) {
        constexpr std::string_view word = "worktree ";
        if (line.starts_with(word)) {
            const auto here = processes_in("git", std::string(line.substr(word.size())));
            found.insert(found.end(), here.begin(), here.end());
        }
    }
    return found;
}

[[noreturn]] void give_up(const std::string &path, const std::string &why)
{
    throw Error(ExitStatus::TryAgain,
                "'" + path + "' is a lock of git, and " + why +
                    ": expected none, remove it when no git is at work there");
}

} // namespace

bool clear_stale_lock(const std::string &directory, const std::string &reference,
                      std::chrono::milliseconds patience)
{
    const std::string path = git_path(directory, reference) + ".lock";
    if (!path_exists(path)) {
        return false;
    }
    // Two that do this at once could take a lock for the stale one that the other has
    // made room for.
    const FileLock alone(git_path(directory, "refs"), "git's references", patience);
    const std::string identity = identity_of(path);
    std::vector<ProcessIdentity> owners = gits_at_work(directory);
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!owners.empty()) {
        std::erase_if(owners, [](const auto &each) { return !is_alive(each); });
        if (owners.empty() || identity_of(path) != identity) {
            break;
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            give_up(path, "process " + std::to_string(owners.front().pid) +
                              " may be its owner");
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    if (identity.empty() || identity_of(path) != identity) {
        return false; // its owner has taken it away
    }
    if (!is_of_this_machine(path)) {
        give_up(path, "other machines may share its file system");
    }
    remove_file(path);
    return true;
}

} // namespace ap
