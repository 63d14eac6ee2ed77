#include "sys/path.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "sys/directory.hh"
#include "sys/process.hh"

#include <array>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace ap {

namespace {

std::string working_directory()
{
    std::array<char, PATH_MAX> buffer{};
    if (getcwd(buffer.data(), buffer.size()) == nullptr) {
        throw_errno("cannot tell the working directory");
    }
    return buffer.data();
}

void sync_directory(const std::string &path)
{
    const Fd directory = open_file(path, O_RDONLY | O_DIRECTORY);
    if (fsync(directory.get()) != 0) {
        throw_errno("cannot sync directory '" + path + "'");
    }
}

// Removes what is in the directory behind `parent` and `name`. Works with descriptors
// instead of paths so that a link swapped in meanwhile is never followed.
void empty_directory(int parent, const char *name, const std::string &shown)
{
    Fd fd(openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) {
        throw_errno("cannot open '" + shown + "'");
    }
    const Directory directory(fdopendir(fd.get()));
    if (!directory) {
        throw_errno("cannot list '" + shown + "'");
    }
    const int at = fd.release();
    while (const dirent *entry = readdir(directory.get())) {
        const std::string_view entry_name = static_cast<const char *>(entry->d_name);
        if (entry_name == "." || entry_name == "..") {
            continue;
        }
        const char *file = static_cast<const char *>(entry->d_name);
        if (unlinkat(at, file, 0) == 0 || errno == ENOENT) {
            continue;
        }
        const std::string below = join_path(shown, entry_name);
        if (errno != EISDIR && errno != EPERM) {
            throw_errno("cannot remove '" + below + "'");
        }
        empty_directory(at, file, below);
        if (unlinkat(at, file, AT_REMOVEDIR) != 0 && errno != ENOENT) {
            throw_errno("cannot remove '" + below + "'");
        }
    }
}

void write_file(const std::string &path, std::string_view data, mode_t mode, bool sync)
{
    const Fd file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode);
    write_all(file.get(), data, "'" + path + "'");
    if (sync && fsync(file.get()) != 0) {
        throw_errno("cannot sync '" + path + "'");
    }
}

constexpr std::string_view temporary_mark = ".tmp."; // then the pid of the writer

void write_and_rename(const std::string &path, std::string_view data, mode_t mode,
                      bool sync)
{
    const std::string temporary =
        path + std::string(temporary_mark) + std::to_string(getpid());
    try {
        write_file(temporary, data, mode, sync);
        if (rename(temporary.c_str(), path.c_str()) != 0) {
            throw_errno("cannot rename '" + temporary + "' to '" + path + "'");
        }
    } catch (const Error &) {
        static_cast<void>(unlink(temporary.c_str()));
        throw;
    }
}

} // namespace

std::string join_path(std::string_view directory, std::string_view name)
{
    if (directory.empty() || name.starts_with('/')) {
        return std::string(name);
    }
    std::string path(directory);
    if (!path.ends_with('/')) {
        path += '/';
    }
    return path.append(name);
}

std::string parent_path(std::string_view path)
{
    const size_t slash = path.find_last_of('/');
    if (slash == std::string_view::npos) {
        return ".";
    }
    return std::string(path.substr(0, slash == 0 ? 1 : slash));
}

std::string absolute_path(std::string_view path)
{
    const std::string full =
        path.starts_with('/') ? std::string(path) : join_path(working_directory(), path);
    std::string clean;
    for (const std::string_view piece : split(full, '/')) {
        if (!piece.empty() && piece != ".") {
            clean.append("/").append(piece);
        }
    }
    return clean.empty() ? "/" : clean;
}

bool path_exists(const std::string &path)
{
    struct stat status = {};
    return stat(path.c_str(), &status) == 0;
}

void make_directories(const std::string &path, mode_t mode)
{
    if (mkdir(path.c_str(), mode) == 0) {
        return;
    }
    if (errno == ENOENT) {
        make_directories(parent_path(path), mode);
        if (mkdir(path.c_str(), mode) == 0) {
            return;
        }
    }
    struct stat status = {};
    if (errno == EEXIST && stat(path.c_str(), &status) == 0) {
        if (S_ISDIR(status.st_mode)) {
            return;
        }
        errno = ENOTDIR;
    }
    const SystemError cause("cannot make directory '" + path + "'", errno);
    throw Error(cause.status() == ExitStatus::NoPermission ? ExitStatus::NoPermission
                                                           : ExitStatus::CannotCreate,
                cause.what());
}

std::string read_file(const std::string &path, size_t limit)
{
    if (path == "-") {
        return read_all(STDIN_FILENO, limit, "standard input");
    }
    const Fd file = open_file(path, O_RDONLY);
    return read_all(file.get(), limit, "'" + path + "'");
}

void write_file_atomically(const std::string &path, std::string_view data, mode_t mode)
{
    write_and_rename(path, data, mode, true);
    sync_directory(parent_path(path));
}

bool create_file(const std::string &path, std::string_view data, mode_t mode)
{
    // The host's name, since processes of several machines may have the same pid.
    std::array<char, HOST_NAME_MAX + 1> host{};
    static_cast<void>(gethostname(host.data(), host.size() - 1));
    const std::string temporary =
        path + ".tmp." + host.data() + "." + std::to_string(getpid());
    write_file(temporary, data, mode, true);
    const int link_errno = link(temporary.c_str(), path.c_str()) == 0 ? 0 : errno;
    // Over NFS a link may have been made although an error came back; the count tells.
    struct stat status = {};
    const bool made = stat(temporary.c_str(), &status) == 0 && status.st_nlink == 2;
    remove_file(temporary);
    if (!made && link_errno != EEXIST) {
        throw SystemError("cannot make '" + path + "'", link_errno);
    }
    sync_directory(parent_path(path));
    return made;
}

void replace_file(const std::string &path, std::string_view data, mode_t mode)
{
    write_and_rename(path, data, mode, false);
}

void sync_file_system(const std::string &path)
{
    const Fd file = open_file(path, O_RDONLY);
    if (syncfs(file.get()) != 0) {
        throw_errno("cannot sync the file system of '" + path + "'");
    }
}

void remove_tree(const std::string &path)
{
    if (unlink(path.c_str()) == 0 || errno == ENOENT) {
        return;
    }
    if (errno != EISDIR && errno != EPERM) {
        throw_errno("cannot remove '" + path + "'");
    }
    empty_directory(AT_FDCWD, path.c_str(), path);
    if (rmdir(path.c_str()) != 0 && errno != ENOENT) {
        throw_errno("cannot remove '" + path + "'");
    }
}

void remove_left_temporaries(const std::string &directory)
{
    for (const std::string &name : names_in(directory)) {
        const size_t mark = name.rfind(temporary_mark);
        if (mark == std::string::npos || mark == 0) {
            continue;
        }
        const auto pid =
            parse_integer(name.substr(mark + temporary_mark.size()), 1, INT32_MAX);
        if (pid && !process_start_time(static_cast<pid_t>(*pid))) {
            remove_file(join_path(directory, name));
        }
    }
}

void remove_file(const std::string &path)
{
    if (unlink(path.c_str()) != 0 && errno != ENOENT) {
        throw_errno("cannot remove '" + path + "'");
    }
}

} // namespace ap
