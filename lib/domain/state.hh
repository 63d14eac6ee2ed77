#pragma once

#include "base/clock.hh"
#include "sys/process.hh"
#include "wrap/sqlite.hh"

#include <optional>
#include <string>

namespace ap {

/// Where the files of one installation are.
struct StatePaths
{
    std::string database;  ///< absolute path of autopack.db
    std::string runs;      ///< absolute path of .autonomous_runs
    std::string directory; ///< absolute path of the directory that holds the database;
                           ///< relative paths of plans start here

    /// `<runs>/<run_id>`
    std::string run_directory(std::string_view run_id) const;
    /// `<runs>/<run_id>/phases/<phase_id>/attempt-<number>`
    std::string attempt_directory(std::string_view run_id, std::string_view phase_id,
                                  int64_t number) const;
};

/// Resolves the paths: the database from `option` (--db), else AUTOPACK_DB, else
/// ./autopack.db; the runs directory from AUTOPACK_RUNS_DIR, else .autonomous_runs beside
/// the database.
StatePaths state_paths(const std::optional<std::string> &option);

/// An open state database, registered in `connections` for as long as this object lives.
class State
{
public:
    enum class Access {
        Read, ///< works on a read-only file; then there is no registration
        Write,
        Create, ///< makes and migrates the file if it is not there
    };

    /// Opens the database, sets WAL, foreign_keys and synchronous=FULL, and registers
    /// this process under `tool`. With Access::Read the registration is left out where it
    /// cannot be written (read-only, disk full). Throws Error(NoInput) "no database at
    /// '...': run 'ap-db init'", Error(Config) if the schema is older ("run 'ap-db
    /// migrate'") or newer than the program, Error(NoPermission) if it is to be written
    /// and cannot be.
    State(StatePaths paths, Access access, std::string_view tool);
    ~State();
    State(const State &) = delete;
    State &operator=(const State &) = delete;

    Sqlite &database() noexcept { return database_; }
    const StatePaths &paths() const noexcept { return paths_; }

    /// Updates `last_seen` of this process's connection; call it every few seconds in a
    /// process that lives long.
    void touch();

private:
    StatePaths paths_;
    Sqlite database_;
    int64_t connection_id_ = 0;

    void register_connection(std::string_view tool);
};

/// Opens the file of whatever schema version, without registration; throws as State does,
/// except for the version. With Access::Read the file need not be writable; on a
/// read-only file system nothing but the file itself is read then, as nobody can change
/// it.
Sqlite open_database(const StatePaths &paths, State::Access access);

/// What forget_dead_processes() did.
struct CleanupResult
{
    int64_t connections = 0; ///< entries of dead processes removed
    int64_t executors = 0;   ///< executors marked as died
    int64_t attempts = 0;    ///< attempts recorded as interrupted
    int64_t gateways = 0;    ///< gateways whose books were closed
    int64_t calls = 0;       ///< calls of theirs and of other dead processes recorded
};

/// Appends an event. State changes log themselves through triggers; this is for the rest
/// (warnings, controls, recoveries). `detail` is a JSON object as text; empty strings and
/// zero become NULL.
void append_event(Sqlite &database, std::string_view kind, std::string_view run_id = {},
                  std::string_view phase_id = {}, int64_t attempt = 0,
                  std::string_view detail = "{}");

} // namespace ap
