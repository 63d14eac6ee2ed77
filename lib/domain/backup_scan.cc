#include "domain/backup_scan.hh"

#include "base/error.hh"
#include "domain/ledger_document.hh"
#include "domain/secret_rule.hh"
#include "sys/directory.hh"
#include "sys/fd.hh"
#include "sys/path.hh"
#include "wrap/json.hh"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

namespace ap {

namespace {

constexpr std::string_view gateway_journal = "gate.journal";
constexpr size_t largest_configuration = size_t{1} << 20;

int64_t nanoseconds(const timespec &time)
{
    return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

class Scanner
{
public:
    // Takes the file or directory `name` of the directory `parent`, which is there as
    // `path` in the backup, with all below it.
    void take(int parent, const std::string &name, const std::string &path)
    {
        struct stat status = {};
        if (fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
            return; // gone since it was listed, or never there
        }
        if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
            if (S_ISLNK(status.st_mode)) {
                leave_out(path, "symbolic link");
            }
            return;
        }
        std::string what;
        if (!backup_path_is_allowed(path, &what) ||
            Json::string(path).as_string() != path) {
            leave_out(path, what.empty() ? "name is no UTF-8 text" : "path " + what);
            return;
        }
        if (S_ISDIR(status.st_mode)) {
            add(path, status);
            take_directory(parent, name, path);
        } else if (is_secret(parent, name, path)) {
            leave_out(path, "taken to hold a secret");
        } else {
            add(path, status);
        }
    }

    // `below` has no entry of its own.
    void take_directory(int parent, const std::string &name, const std::string &path)
    {
        Fd directory(openat(parent, name.c_str(),
                            O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!directory && (errno == ENOENT || errno == ENOTDIR)) {
            return;
        }
        if (!directory) {
            throw_errno("cannot read directory '" + path + "'");
        }
        const Directory listing(fdopendir(directory.get()));
        if (!listing) {
            throw_errno("cannot list '" + path + "'");
        }
        const int at = directory.release(); // the listing has it now
        while (const dirent *entry = readdir(listing.get())) {
            const std::string child = static_cast<const char *>(entry->d_name);
            const bool temporary = child.starts_with(".autopack-") ||
                                   child.find(".tmp.") != std::string::npos ||
                                   child == gateway_journal;
            if (child != "." && child != ".." && !temporary) {
                take(at, child, path + "/" + child);
            }
        }
    }

    BackupScan finish()
    {
        std::sort(
            result_.entries.begin(), result_.entries.end(),
            [](const auto &one, const auto &other) { return one.path < other.path; });
        std::sort(
            result_.left_out.begin(), result_.left_out.end(),
            [](const auto &one, const auto &other) { return one.path < other.path; });
        return std::move(result_);
    }

private:
    void add(const std::string &path, const struct stat &status)
    {
        BackupEntry entry;
        entry.path = path;
        entry.directory = S_ISDIR(status.st_mode);
        entry.mode = status.st_mode & 0777;
        set_status(entry, status);
        if (entry.directory) {
            entry.size = entry.length = entry.ctime_ns = 0;
        }
        result_.entries.push_back(std::move(entry));
    }

    void leave_out(const std::string &path, std::string reason)
    {
        result_.left_out.push_back({path, std::move(reason)});
    }

    static bool is_secret(int parent, const std::string &name, const std::string &path)
    {
        if (is_secret_name(name)) {
            return true;
        }
        if (!path.starts_with("config/") && path.find('/') != std::string::npos) {
            return false; // a run's, or a document
        }
        const Fd file(
            openat(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
        struct stat status = {};
        if (!file || fstat(file.get(), &status) != 0) {
            throw_errno("cannot read '" + path + "'");
        }
        // What is too large to look through is not let through either.
        return status.st_size > static_cast<off_t>(largest_configuration) ||
               holds_secret(read_all(file.get(), 2 * largest_configuration, path));
    }

    BackupScan result_;
};

} // namespace

BackupScan scan_files(const StatePaths &paths)
{
    Scanner scanner;
    const Fd directory = open_file(paths.directory, O_RDONLY | O_DIRECTORY);
    for (const LedgerDocument &document : ledger_documents) {
        const std::string path(document.path);
        scanner.take(directory.get(), path, path);
    }
    for (const std::string_view name : settings_names) {
        scanner.take(directory.get(), std::string(name), std::string(name));
    }
    scanner.take_directory(directory.get(), "config", "config");
    scanner.take(AT_FDCWD, paths.runs, std::string(runs_name));
    return scanner.finish();
}

void set_status(BackupEntry &entry, const struct stat &status)
{
    entry.size = status.st_size;
    entry.length = status.st_size;
    entry.mtime_ns = nanoseconds(status.st_mtim);
    entry.ctime_ns = nanoseconds(status.st_ctim);
}

std::string place_of(const StatePaths &paths, std::string_view path)
{
    if (path == database_name) {
        return paths.database;
    }
    if (path == runs_name) {
        return paths.runs;
    }
    constexpr std::string_view below_runs = ".autonomous_runs/";
    return path.starts_with(below_runs)
               ? join_path(paths.runs, path.substr(below_runs.size()))
               : join_path(paths.directory, path);
}

} // namespace ap
