#include "domain/database_info.hh"

#include "domain/schema.hh"

namespace ap {

DatabaseInfo database_info(Sqlite &database)
{
    DatabaseInfo info;
    info.schema_version = schema_version(database);
    Statement row = database.prepare(
        "SELECT identity, checked_at, check_findings FROM database_info");
    if (row.step()) {
        info.identity = row.text(0);
        info.checked_at = row.optional_integer(1);
        info.check_findings = row.optional_integer(2);
    }
    return info;
}

void note_check(Sqlite &database, int64_t findings, const Clock &clock)
{
    try {
        database.prepare("UPDATE database_info SET checked_at = ?1, check_findings = ?2")
            .bind_all(clock.now(), findings)
            .run();
    } catch (const SqliteError &error) {
        // A damaged file is what the caller has just found out.
        const bool cannot_write = error.status() == ExitStatus::NoPermission ||
                                  error.status() == ExitStatus::InputOutput ||
                                  error.status() == ExitStatus::TryAgain;
        if (!cannot_write && !error.is_corrupt()) {
            throw;
        }
    }
}

} // namespace ap
