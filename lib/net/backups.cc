#include "net/backups.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/backup_name.hh"
#include "domain/config.hh"
#include "sys/directory.hh"
#include "sys/path.hh"

#include <algorithm>
#include <sys/stat.h>

namespace ap {

namespace {

// A name of the form that ap-backup writes; it has no slash and does not begin with a
// dot, so it stays in the directory.
bool is_backup_name(std::string_view name)
{
    return is_identifier(name) && compression_of_name(name).has_value();
}

std::optional<BackupFile> look_at(const std::string &directory, const std::string &name)
{
    struct stat status = {};
    if (lstat(join_path(directory, name).c_str(), &status) != 0 ||
        !S_ISREG(status.st_mode)) {
        return std::nullopt;
    }
    return BackupFile{name, status.st_size,
                      int64_t{status.st_mtim.tv_sec} * 1000 +
                          status.st_mtim.tv_nsec / 1'000'000};
}

} // namespace

std::string Backups::directory() const
{
    return load_config(paths_).backup_directory;
}

std::vector<BackupFile> Backups::list() const
{
    const std::string place = directory();
    std::vector<BackupFile> files;
    for (const std::string &name : names_in(place)) {
        auto file = is_backup_name(name) ? look_at(place, name) : std::nullopt;
        if (file) {
            files.push_back(std::move(*file));
        }
    }
    std::sort(files.begin(), files.end(), [](const auto &one, const auto &other) {
        return std::tie(one.written_at, one.name) >
               std::tie(other.written_at, other.name);
    });
    return files;
}

std::string Backups::path_of(const std::string &name) const
{
    const std::string place = directory();
    if (!is_backup_name(name) || !look_at(place, name)) {
        throw Error(ExitStatus::NoInput, "no backup '" + printable(name) + "'");
    }
    return join_path(place, name);
}

void Backups::start()
{
    const std::lock_guard lock(mutex_);
    if (child_ && !child_->status()) {
        throw Error(ExitStatus::TryAgain, "a backup is being made");
    }
    child_.emplace(ChildCommand{{join_path(program_directory(), "ap-backup"), "--quiet",
                                 "--db", paths_.database, "--output-dir", directory()}});
    child_->leave(); // it is worth having when the server ends before it
}

std::string Backups::state()
{
    const std::lock_guard lock(mutex_);
    const auto status = child_ ? child_->status() : std::optional(0);
    return !status ? "running" : *status == 0 ? "idle" : "failed";
}

} // namespace ap
