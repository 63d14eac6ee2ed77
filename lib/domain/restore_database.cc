#include "domain/restore_database.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/integrity.hh"
#include "domain/process_row.hh"
#include "domain/schema.hh"
#include "sys/path.hh"

#include <sys/stat.h>
#include <thread>

namespace ap {

namespace {

using namespace std::chrono_literals;

// Who has the state open: tool and pid; empty if nobody.
std::string living_user(Sqlite &database)
{
    Statement rows = database.prepare(
        "SELECT pid, pid_started, boot_id, tool FROM connections ORDER BY connection_id");
    while (rows.step()) {
        const ProcessIdentity process = read_process(rows, 0);
        if (is_alive(process)) {
            return std::string(rows.text(3)) + " (pid " + std::to_string(process.pid) +
                   ")";
        }
    }
    return {};
}

} // namespace

PreparedDatabase prepare_database(const StatePaths &staged)
{
    PreparedDatabase result;
    {
        Sqlite database(staged.database, OpenMode::ReadWrite);
        result.schema_from = schema_version(database);
        if (result.schema_from == 0) {
            throw Error(ExitStatus::BadData, "the database in the backup is empty");
        }
        const std::string verdict = database.query_text("PRAGMA integrity_check");
        if (verdict != "ok") {
            throw Error(ExitStatus::BadData,
                        "the database in the backup is damaged: " + printable(verdict));
        }
        const MigrationResult migrated = migrate(database, migrations());
        result.schema_to = migrated.to;
        if (!migrated.snapshot.empty()) {
            remove_file(migrated.snapshot); // the backup is the snapshot
        }
    }
    State state(staged, State::Access::Write, "ap-restore");
    static_cast<void>(forget_dead_processes(state));
    for (const Finding &finding : check_integrity(state.database())) {
        result.findings.push_back(finding.rule + ": " + finding.detail);
    }
    return result;
}

void refuse_users(Sqlite &database)
{
    const std::string user =
        schema_version(database) > 0 ? living_user(database) : std::string();
    if (!user.empty()) {
        throw Error(ExitStatus::TryAgain,
                    user + " has the database open: stop it, or use --wait");
    }
}

std::unique_ptr<Sqlite> take_out_of_use(const StatePaths &paths,
                                        std::chrono::milliseconds wait)
{
    const auto deadline = std::chrono::steady_clock::now() + wait;
    while (true) {
        try {
            auto database = std::make_unique<Sqlite>(paths.database, OpenMode::ReadWrite);
            refuse_users(*database);
            database->execute("PRAGMA journal_mode = DELETE");
            database->execute("BEGIN EXCLUSIVE");
            return database;
        } catch (const Error &error) {
            if (error.status() == ExitStatus::BadData) {
                return nullptr; // damaged, or another application's; it is kept as it is
            }
            if (error.status() != ExitStatus::TryAgain ||
                std::chrono::steady_clock::now() >= deadline) {
                throw;
            }
        }
        std::this_thread::sleep_for(200ms);
    }
}

void copy_mode(const std::string &from, const std::string &to)
{
    struct stat status = {};
    if (stat(from.c_str(), &status) == 0) {
        if (chmod(to.c_str(), status.st_mode & 0777) != 0) {
            throw_errno("cannot set the mode of '" + to + "'");
        }
    }
}

} // namespace ap
