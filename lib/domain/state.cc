#include "domain/state.hh"

#include "domain/restore_swap.hh"
#include "domain/schema.hh"
#include "sys/path.hh"

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <thread>
#include <unistd.h>

namespace ap {

namespace {

using namespace std::chrono_literals;

constexpr auto longest_wait = 10s;

std::string environment_or(const char *name, std::string fallback)
{
    const char *value = std::getenv(name);
    return value == nullptr || *value == '\0' ? std::move(fallback) : value;
}

bool is_on_read_only_file_system(const std::string &path)
{
    struct statvfs info = {};
    return statvfs(path.c_str(), &info) == 0 && (info.f_flag & ST_RDONLY) != 0;
}

// SQLite opens a file that cannot be written for reading without a word, and fails later
// with whatever comes first; this tells at once.
void require_writable(const std::string &path)
{
    for (const std::string &needed : {path, parent_path(path)}) {
        if (::access(needed.c_str(), W_OK) != 0 && errno != ENOENT) {
            throw_errno("cannot write '" + needed + "'");
        }
    }
}

// The mode is kept in the file; it is set again for one that came back from a snapshot.
void use_write_ahead_log(Sqlite &database)
{
    const auto deadline = std::chrono::steady_clock::now() + longest_wait;
    std::string mode;
    while (mode.empty()) {
        try {
            mode = database.query_text("PRAGMA journal_mode = WAL");
        } catch (const SqliteError &error) {
            // Two processes that make the file at once: SQLite does not wait here.
            if (error.status() != ExitStatus::TryAgain ||
                std::chrono::steady_clock::now() > deadline) {
                throw;
            }
            std::this_thread::sleep_for(1ms);
        }
    }
    if (mode != "wal") {
        throw Error(ExitStatus::InputOutput,
                    "'" + database.path() +
                        "': the file system has no shared memory for SQLite's WAL mode");
    }
}

Sqlite open_for_writing(const StatePaths &paths, OpenMode mode)
{
    require_writable(paths.database);
    Sqlite database(paths.database, mode);
    use_write_ahead_log(database);
    return database;
}

bool has_log(const std::string &path)
{
    struct stat status = {};
    return stat((path + "-wal").c_str(), &status) == 0 && status.st_size > 0;
}

// The path as a URI for SQLite.
std::string immutable_uri(const std::string &path)
{
    static constexpr std::string_view digits = "0123456789ABCDEF";
    std::string uri = "file:";
    for (const char character : path) {
        if (character == '%' || character == '?' || character == '#') {
            const auto byte = static_cast<unsigned char>(character);
            uri.append("%").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
        } else {
            uri += character;
        }
    }
    return uri + "?immutable=1";
}

Sqlite open_for_reading(const StatePaths &paths)
{
    const std::string &path = paths.database;
    if (::access(path.c_str(), R_OK) != 0) {
        throw_errno("cannot read '" + path + "'");
    }
    const bool writable = ::access(path.c_str(), W_OK) == 0;
    Sqlite database(path, writable ? OpenMode::ReadWrite : OpenMode::ReadOnly);
    try {
        // Nothing is read before this; it shows whether SQLite gets at its -shm file.
        static_cast<void>(database.query_integer("PRAGMA user_version"));
        return database;
    } catch (const SqliteError &error) {
        if (error.status() != ExitStatus::NoInput &&
            error.status() != ExitStatus::NoPermission) {
            throw;
        }
    }
    // SQLite checks no lock and sees no change of an immutable file, so it must be one.
    // What is in the log is not read then.
    if (is_on_read_only_file_system(path) && !has_log(path)) {
        return Sqlite(immutable_uri(path), OpenMode::ReadOnly);
    }
    throw Error(ExitStatus::NoPermission,
                "cannot read '" + path +
                    "': its directory cannot be written, and no process that can has it "
                    "open; copy it, with its -wal file, to where it can be");
}

void check_version(Sqlite &database, const std::string &path)
{
    const int newest = migrations().back().version;
    const int version = schema_version(database);
    if (version < newest) {
        throw Error(ExitStatus::Config,
                    "'" + path + "' has schema " + std::to_string(version) +
                        ", older than this program's " + std::to_string(newest) +
                        ": run 'ap-db migrate'");
    }
    if (version > newest) {
        throw Error(ExitStatus::Config,
                    "'" + path + "' has schema " + std::to_string(version) +
                        ", newer than this program's " + std::to_string(newest) +
                        ": use a newer program");
    }
}

// SQLite's log is shared between processes through memory, which another machine has not:
// opened from there, the file would be damaged.
void refuse_remote_state(const StatePaths &paths)
{
    const char *remote = std::getenv("AUTOPACK_REMOTE_STATE");
    if (remote != nullptr && *remote != '\0') {
        throw Error(ExitStatus::Unavailable,
                    "the database '" + paths.database +
                        "' belongs to another machine (AUTOPACK_REMOTE_STATE is set): "
                        "report usage through AUTOPACK_USAGE_FIFO");
    }
}

} // namespace

std::string StatePaths::run_directory(std::string_view run_id) const
{
    return join_path(runs, run_id);
}

std::string StatePaths::attempt_directory(std::string_view run_id,
                                          std::string_view phase_id, int64_t number) const
{
    return run_directory(run_id) + "/phases/" + std::string(phase_id) + "/attempt-" +
           std::to_string(number);
}

StatePaths state_paths(const std::optional<std::string> &option)
{
    if (option && option->empty()) {
        throw UsageError("--db: expected a path, got ''");
    }
    StatePaths paths;
    paths.database =
        absolute_path(option ? *option : environment_or("AUTOPACK_DB", "autopack.db"));
    paths.directory = parent_path(paths.database);
    paths.runs = absolute_path(environment_or(
        "AUTOPACK_RUNS_DIR", join_path(paths.directory, ".autonomous_runs")));
    return paths;
}

Sqlite open_database(const StatePaths &paths, State::Access access)
{
    refuse_remote_state(paths);
    finish_interrupted_restore(paths);
    if (access == State::Access::Create) {
        make_directories(paths.directory);
        return open_for_writing(paths, OpenMode::Create);
    }
    if (!path_exists(paths.database)) {
        throw Error(ExitStatus::NoInput,
                    "no database at '" + paths.database + "': run 'ap-db init'");
    }
    return access == State::Access::Read ? open_for_reading(paths)
                                         : open_for_writing(paths, OpenMode::ReadWrite);
}

State::State(StatePaths paths, Access access, std::string_view tool)
    : paths_(std::move(paths))
    , database_(open_database(paths_, access))
{
    database_.execute("PRAGMA foreign_keys = ON");
    if (access == Access::Create) {
        migrate(database_, migrations());
    }
    check_version(database_, paths_.database);
    try {
        register_connection(tool);
    } catch (const SqliteError &error) {
        const bool cannot_write = error.status() == ExitStatus::NoPermission ||
                                  error.status() == ExitStatus::InputOutput;
        if (access != Access::Read || !cannot_write) {
            throw;
        }
    }
    database_.execute("PRAGMA synchronous = FULL");
    database_.execute("PRAGMA journal_size_limit = 67108864");
}

State::~State()
{
    if (connection_id_ == 0) {
        return;
    }
    try {
        database_.execute("PRAGMA synchronous = NORMAL");
        database_.prepare("DELETE FROM connections WHERE connection_id = ?1")
            .bind_all(connection_id_)
            .run();
    } catch (const std::exception &) {
        connection_id_ = 0; // ap-db cleanup removes the entry of a dead process
    }
}

void State::register_connection(std::string_view tool)
{
    const ProcessIdentity self = ProcessIdentity::self();
    // Who is connected does not have to survive a power loss, which ends them all.
    database_.execute("PRAGMA synchronous = NORMAL");
    database_
        .prepare("INSERT INTO connections (pid, pid_started, boot_id, tool, opened_at, "
                 "last_seen) VALUES (?1, ?2, ?3, ?4, ?5, ?5)")
        .bind_all(int64_t{self.pid}, self.started, self.boot_id, tool,
                  SystemClock().now())
        .run();
    connection_id_ = database_.last_insert_id();
}

void State::touch()
{
    if (connection_id_ == 0) {
        return;
    }
    database_.prepare("UPDATE connections SET last_seen = ?2 WHERE connection_id = ?1")
        .bind_all(connection_id_, SystemClock().now())
        .run();
}

void append_event(Sqlite &database, std::string_view kind, std::string_view run_id,
                  std::string_view phase_id, int64_t attempt, std::string_view detail)
{
    database
        .prepare(
            "INSERT INTO events (created_at, kind, run_id, phase_id, attempt, detail) "
            "VALUES (?1, ?2, nullif(?3, ''), nullif(?4, ''), nullif(?5, 0), ?6)")
        .bind_all(SystemClock().now(), kind, run_id, phase_id, attempt, detail)
        .run();
}

} // namespace ap
