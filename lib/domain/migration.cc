#include "domain/schema.hh"
#include "sys/fd.hh"
#include "sys/path.hh"

#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

namespace ap {

namespace {

int64_t pragma(Sqlite &database, const std::string &name)
{
    return database.query_integer("PRAGMA " + name);
}

// A copy of the file as it is, under its final name only when it is whole and synced.
std::string take_snapshot(Sqlite &database, int from, int to)
{
    const std::string path = database.path() + ".before-migration-" + std::to_string(to) +
                             "-from-" + std::to_string(from);
    const std::string temporary = path + ".tmp." + std::to_string(getpid());
    remove_file(temporary);
    try {
        database.copy_to(temporary);
        if (Sqlite(temporary, OpenMode::ReadOnly).query_text("PRAGMA quick_check") !=
            "ok") {
            throw Error(ExitStatus::BadData, "the snapshot of '" + database.path() +
                                                 "' is damaged; nothing was migrated");
        }
        const Fd file = open_file(temporary, O_RDONLY);
        if (fsync(file.get()) != 0 || rename(temporary.c_str(), path.c_str()) != 0) {
            throw_errno("cannot keep snapshot '" + path + "'");
        }
        const Fd directory = open_file(parent_path(path), O_RDONLY | O_DIRECTORY);
        if (fsync(directory.get()) != 0) {
            throw_errno("cannot sync '" + parent_path(path) + "'");
        }
    } catch (const Error &) {
        remove_file(temporary);
        throw;
    }
    return path;
}

void apply(Sqlite &database, std::span<const Migration> steps, int from)
{
    for (const Migration &step : steps) {
        if (step.version <= from) {
            continue;
        }
        try {
            database.execute(std::string(step.sql));
        } catch (const SqliteError &error) {
            throw Error(error.status(), "migration " + std::to_string(step.version) +
                                            " (" + std::string(step.name) +
                                            "): " + error.what());
        }
    }
    database.execute("PRAGMA application_id = " + std::to_string(application_id));
    database.execute("PRAGMA user_version = " + std::to_string(steps.back().version));
    Statement violations = database.prepare("PRAGMA foreign_key_check");
    if (violations.step()) {
        throw Error(ExitStatus::BadData, "after the migration table '" +
                                             std::string(violations.text(0)) +
                                             "' would refer to rows that do not exist");
    }
}

} // namespace

int schema_version(Sqlite &database)
{
    const int64_t id = pragma(database, "application_id");
    const int64_t version = pragma(database, "user_version");
    const bool empty = database.query_integer("SELECT count(*) FROM sqlite_schema") == 0;
    if (id != application_id && !(empty && version == 0)) {
        throw Error(ExitStatus::BadData,
                    "'" + database.path() + "' is a database of another application");
    }
    return static_cast<int>(version);
}

MigrationResult migrate(Sqlite &database, std::span<const Migration> steps)
{
    MigrationResult result;
    result.to = steps.back().version;
    result.from = schema_version(database);
    if (result.from > result.to) {
        throw Error(ExitStatus::Config,
                    "'" + database.path() + "' has schema " +
                        std::to_string(result.from) + ", newer than this program's " +
                        std::to_string(result.to) + ": use a newer program");
    }
    if (result.from == result.to) {
        return result;
    }
    if (result.from > 0) {
        result.snapshot = take_snapshot(database, result.from, result.to);
    }
    // Tables may be rebuilt on the way; the whole is checked before it is committed.
    const int64_t foreign_keys = pragma(database, "foreign_keys");
    database.execute("PRAGMA foreign_keys = OFF");
    {
        Transaction transaction(database);
        // Another process may have migrated between the look above and the lock.
        if (schema_version(database) == result.from) {
            apply(database, steps, result.from);
        }
        transaction.commit();
    }
    database.execute("PRAGMA foreign_keys = " + std::to_string(foreign_keys));
    return result;
}

} // namespace ap
