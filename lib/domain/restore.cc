#include "domain/restore.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/backup_scan.hh"
#include "domain/restore_database.hh"
#include "domain/restore_staging.hh"
#include "domain/restore_swap.hh"
#include "sys/file_lock.hh"
#include "sys/path.hh"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace ap {

namespace {

using namespace std::chrono_literals;

std::string local_stamp()
{
    const time_t now = time(nullptr);
    struct tm local = {};
    localtime_r(&now, &local);
    char text[32] = {};
    static_cast<void>(std::strftime(text, sizeof text, "%Y%m%d-%H%M%S", &local));
    return text;
}

// The files of the runs directory are made ready beside it, which need not be where the
// database is.
class Staging
{
public:
    explicit Staging(const StatePaths &paths)
        : paths_(paths)
        , main_(join_path(paths.directory, ".autopack-restore-staging"))
        , runs_(parent_path(paths.runs) == paths.directory
                    ? main_
                    : join_path(parent_path(paths.runs), ".autopack-restore-staging"))
    {
        remove_all();
        make_directories(main_, 0700);
        make_directories(runs_, 0700);
    }
    ~Staging()
    {
        if (!given_away_) {
            try {
                remove_all();
            } catch (const Error &) {
                given_away_ = true; // the next restore tries again
            }
        }
    }
    Staging(const Staging &) = delete;
    Staging &operator=(const Staging &) = delete;

    std::string place(std::string_view path) const
    {
        return join_path(path.starts_with(runs_name) ? runs_ : main_, path);
    }

    // For paths that look like those of an installation.
    StatePaths state() const { return {place(database_name), place(runs_name), main_}; }

    void sync() const
    {
        sync_file_system(main_);
        sync_file_system(runs_);
    }

    std::vector<SwapDirectory> directories(const std::string &kept) const
    {
        const bool keep = !kept.empty();
        std::vector<SwapDirectory> list{
            {main_, keep ? join_path(paths_.directory, kept) : ""}};
        if (runs_ != main_) {
            list.push_back(
                {runs_, keep ? join_path(parent_path(paths_.runs), kept) : ""});
        }
        return list;
    }

    void give_away() { given_away_ = true; }

private:
    void remove_all() const
    {
        remove_tree(main_);
        remove_tree(runs_);
    }

    const StatePaths &paths_;
    std::string main_;
    std::string runs_;
    bool given_away_ = false;
};

void require_room(const RestoreSource &source, const std::string &directory,
                  const std::vector<std::string> &only)
{
    int64_t needed = 0;
    for (const BackupEntry &entry : source.manifest().entries) {
        if (is_selected(entry.path, only)) {
            constexpr int64_t per_file = 4096;
            needed += entry.size + per_file;
        }
    }
    struct statvfs info = {};
    if (statvfs(directory.c_str(), &info) != 0) {
        throw_errno("cannot look at the file system of '" + directory + "'");
    }
    const auto free = static_cast<int64_t>(info.f_bavail * info.f_frsize);
    if (needed > free) {
        throw Error(ExitStatus::InputOutput,
                    "the backup needs " + std::to_string(needed) + " bytes in '" +
                        directory + "', which has " + std::to_string(free) + " left");
    }
}

// What changes places: the paths asked for, or else the database, the runs directory as a
// whole, and every other file by itself, so that files which no backup holds (those with
// secrets) stay.
std::vector<std::string> roots(const RestoreSource &source,
                               const std::vector<std::string> &only)
{
    std::vector<std::string> list;
    for (const BackupEntry &entry : source.manifest().entries) {
        if (entry.path == pieces_name || entry.path == changes_name) {
            continue;
        }
        const bool below_runs = entry.path.starts_with(std::string(runs_name) + "/");
        if (only.empty()) {
            if (!below_runs && (!entry.directory || entry.path == runs_name)) {
                list.push_back(entry.path);
            }
        } else if (std::find(only.begin(), only.end(), entry.path) != only.end() ||
                   // Below a directory that has no entry of its own.
                   (!entry.directory && !below_runs && is_selected(entry.path, only))) {
            list.push_back(entry.path);
        }
    }
    const bool whole = std::find(list.begin(), list.end(), runs_name) != list.end();
    const bool pieces =
        std::any_of(source.manifest().entries.begin(), source.manifest().entries.end(),
                    [](const auto &entry) { return entry.path.starts_with(runs_name); });
    if (only.empty() && pieces && !whole) {
        list.emplace_back(runs_name); // tar archives need not have it
    }
    return list;
}

void require_selection(const RestoreSource &source, const std::vector<std::string> &only)
{
    for (const std::string &path : only) {
        const auto &entries = source.manifest().entries;
        if (std::none_of(entries.begin(), entries.end(), [&](const auto &entry) {
                return is_selected(entry.path, {path});
            })) {
            throw Error(ExitStatus::NoInput, source.readers().front().name() +
                                                 ": has no '" + printable(path) +
                                                 "' (see --list)");
        }
    }
}

bool is_there(const std::string &path)
{
    struct stat status = {};
    return lstat(path.c_str(), &status) == 0;
}

Swap plan_swap(const RestoreSource &source, const StatePaths &paths,
               const Staging &staging, const std::vector<std::string> &only, bool damaged)
{
    Swap swap;
    bool kept = false;
    const auto add = [&](const std::string &live, const std::string &staged, bool away) {
        kept = kept || is_there(live);
        swap.items.push_back({live, staged, away});
    };
    for (const char *suffix : {"-wal", "-shm", "-journal"}) {
        if (damaged && is_there(paths.database + suffix)) {
            add(paths.database + suffix, staging.place(database_name) + suffix, true);
        }
    }
    for (const std::string &root : roots(source, only)) {
        add(place_of(paths, root), staging.place(root), false);
    }
    if (only.empty() && !is_there(staging.place(runs_name)) && is_there(paths.runs)) {
        add(paths.runs, staging.place(runs_name), true); // files of runs that are no more
    }
    swap.directories =
        staging.directories(kept ? "autopack-rollback-" + local_stamp() : "");
    for (int number = 2; kept && is_there(swap.directories.front().kept); number++) {
        swap.directories = staging.directories("autopack-rollback-" + local_stamp() +
                                               "-" + std::to_string(number));
    }
    return swap;
}

void count_files(const RestoreSource &source, const std::vector<std::string> &only,
                 RestoreResult &result)
{
    for (const BackupEntry &entry : source.manifest().entries) {
        const bool own = entry.path == pieces_name || entry.path == changes_name;
        if (!entry.directory && !own && is_selected(entry.path, only)) {
            result.files++;
            result.bytes += entry.length;
        }
    }
}

class RemoveAtEnd
{
public:
    explicit RemoveAtEnd(const std::string &path)
        : path_(path)
    {
    }
    ~RemoveAtEnd()
    {
        try {
            remove_tree(path_);
        } catch (const Error &) {
            return; // it is below TMPDIR; nothing depends on it
        }
    }
    RemoveAtEnd(const RemoveAtEnd &) = delete;
    RemoveAtEnd &operator=(const RemoveAtEnd &) = delete;

private:
    const std::string &path_;
};

} // namespace

bool is_selected(std::string_view path, const std::vector<std::string> &only)
{
    return only.empty() || std::any_of(only.begin(), only.end(), [&](const auto &chosen) {
               return path == chosen ||
                      (path.starts_with(chosen) && path.size() > chosen.size() &&
                       path[chosen.size()] == '/');
           });
}

RestoreResult plan_restore(const RestoreSource &source, const StatePaths &paths,
                           const RestoreOptions &options, const Progress &progress)
{
    require_selection(source, options.only);
    source.verify(progress);
    if (path_exists(paths.directory)) {
        require_room(source, paths.directory, options.only);
    }
    RestoreResult result;
    count_files(source, options.only, result);
    if (path_exists(paths.database)) {
        Sqlite database = open_database(paths, State::Access::Read);
        refuse_users(database);
    }
    return result;
}

RestoreResult rehearse_restore(const RestoreSource &source, const Progress &progress)
{
    const char *given = std::getenv("TMPDIR");
    std::string directory =
        std::string(given == nullptr || *given == '\0' ? "/tmp" : given) +
        "/autopack-rehearsal-XXXXXX";
    if (mkdtemp(directory.data()) == nullptr) {
        throw_errno("cannot make '" + directory + "'");
    }
    const RemoveAtEnd remove(directory);
    return restore_backup(
        source,
        {join_path(directory, database_name), join_path(directory, runs_name), directory},
        {}, progress);
}

RestoreResult restore_backup(const RestoreSource &source, const StatePaths &paths,
                             const RestoreOptions &options, const Progress &progress)
{
    require_selection(source, options.only);
    source.verify(progress);
    make_directories(paths.directory, 0755);
    make_directories(parent_path(paths.runs), 0755);
    const FileLock lock(paths.directory, "'" + paths.directory + "'");
    finish_swap(paths);
    require_room(source, paths.directory, options.only);
    Staging staging(paths);
    RestoreResult result;
    StagedFiles files(source, [&](const BackupEntry &entry) {
        if (!is_selected(entry.path, options.only)) {
            return std::string();
        }
        return staging.place(entry.path);
    });
    files.write(progress);
    count_files(source, options.only, result);
    const bool database = is_selected(database_name, options.only) &&
                          source.manifest().find(database_name) != nullptr;
    if (database) {
        const PreparedDatabase prepared = prepare_database(staging.state());
        result.schema_from = prepared.schema_from;
        result.schema_to = prepared.schema_to;
        result.findings = prepared.findings;
        copy_mode(paths.database, staging.place(database_name));
    }
    staging.sync();
    const bool present = is_there(paths.database);
    const std::unique_ptr<Sqlite> old =
        present ? take_out_of_use(paths, options.wait) : nullptr;
    const Swap swap =
        plan_swap(source, paths, staging, options.only, database && present && !old);
    staging.give_away();
    perform_swap(paths, swap);
    result.rollback = swap.directories.front().kept;
    return result;
}

} // namespace ap
