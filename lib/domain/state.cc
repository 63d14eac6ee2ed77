#include "domain/state.hh"

#include "domain/schema.hh"
#include "sys/path.hh"

#include <cstdlib>
#include <unistd.h>

namespace ap {

namespace {

std::string environment_or(const char *name, std::string fallback)
{
    const char *value = std::getenv(name);
    return value == nullptr || *value == '\0' ? std::move(fallback) : value;
}

OpenMode open_mode(const StatePaths &paths, State::Access access)
{
    if (access == State::Access::Create) {
        make_directories(paths.directory);
        return OpenMode::Create;
    }
    if (!path_exists(paths.database)) {
        throw Error(ExitStatus::NoInput,
                    "no database at '" + paths.database + "': run 'ap-db init'");
    }
    if (access == State::Access::Read && ::access(paths.database.c_str(), W_OK) != 0) {
        return OpenMode::ReadOnly;
    }
    return OpenMode::ReadWrite;
}

void check_version(Sqlite &database)
{
    const int newest = migrations().back().version;
    const int version = schema_version(database);
    if (version < newest) {
        throw Error(ExitStatus::Config,
                    "'" + database.path() + "' has schema " + std::to_string(version) +
                        ", older than this program's " + std::to_string(newest) +
                        ": run 'ap-db migrate'");
    }
    if (version > newest) {
        throw Error(ExitStatus::Config,
                    "'" + database.path() + "' has schema " + std::to_string(version) +
                        ", newer than this program's " + std::to_string(newest) +
                        ": use a newer program");
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
    StatePaths paths;
    paths.database =
        absolute_path(option ? *option : environment_or("AUTOPACK_DB", "autopack.db"));
    paths.directory = parent_path(paths.database);
    paths.runs = absolute_path(environment_or(
        "AUTOPACK_RUNS_DIR", join_path(paths.directory, ".autonomous_runs")));
    return paths;
}

State::State(StatePaths paths, Access access, std::string_view tool)
    : paths_(std::move(paths))
    , database_(paths_.database, open_mode(paths_, access))
{
    try {
        database_.execute("PRAGMA foreign_keys = ON");
        if (access == Access::Create) {
            database_.execute("PRAGMA journal_mode = WAL");
            migrate(database_, migrations());
        }
        check_version(database_);
        const ProcessIdentity self = ProcessIdentity::self();
        const UnixMs now = SystemClock().now();
        // Who is connected does not have to survive a power loss, which ends them all.
        database_.execute("PRAGMA synchronous = NORMAL");
        database_
            .prepare(
                "INSERT INTO connections (pid, pid_started, boot_id, tool, opened_at, "
                "last_seen) VALUES (?1, ?2, ?3, ?4, ?5, ?5)")
            .bind_all(int64_t{self.pid}, self.started, self.boot_id, tool, now)
            .run();
        connection_id_ = database_.last_insert_id();
    } catch (const SqliteError &error) {
        if (access != Access::Read || !error.is_read_only()) {
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
    } catch (const Error &) {
        connection_id_ = 0; // ap-db cleanup removes the entry of a dead process
    }
}

void State::touch()
{
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
