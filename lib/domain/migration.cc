#include "domain/schema.hh"
#include "sys/fd.hh"
#include "sys/path.hh"

#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ap {

namespace {

int64_t pragma(Sqlite &database, const std::string &name)
{
    return database.query_integer("PRAGMA " + name);
}

// Rules between tables cannot hold while a migration rebuilds them one by one; they are
// checked as a whole at its end. SQLite ignores the switch inside a transaction, so this
// must outlive it.
class ForeignKeysOff
{
public:
    explicit ForeignKeysOff(Sqlite &database)
        : database_(database)
        , before_(pragma(database, "foreign_keys"))
    {
        database_.execute("PRAGMA foreign_keys = OFF");
    }
    ~ForeignKeysOff()
    {
        try {
            database_.execute("PRAGMA foreign_keys = " + std::to_string(before_));
        } catch (const Error &) {
            // The connection itself is broken and will tell whoever uses it next.
            return;
        }
    }
    ForeignKeysOff(const ForeignKeysOff &) = delete;
    ForeignKeysOff &operator=(const ForeignKeysOff &) = delete;

private:
    Sqlite &database_;
    int64_t before_;
};

// A new file that no more people can read than the one at `model`.
void make_like(const std::string &path, const std::string &model)
{
    struct stat status = {};
    if (stat(model.c_str(), &status) != 0) {
        throw_errno("cannot look at '" + model + "'");
    }
    const Fd file = open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fchmod(file.get(), status.st_mode & 0777) != 0) {
        throw_errno("cannot set the mode of '" + path + "'");
    }
}

void sync(const std::string &path, int flags)
{
    const Fd file = open_file(path, flags);
    if (fsync(file.get()) != 0) {
        throw_errno("cannot sync '" + path + "'");
    }
}

void write_snapshot(const std::string &source, const std::string &temporary)
{
    make_like(temporary, source);
    // SQLite copies nothing through a connection that holds the write lock, so the copy
    // goes through one of its own.
    Sqlite(source, OpenMode::ReadWrite).copy_to(temporary);
    if (Sqlite(temporary, OpenMode::ReadOnly).query_text("PRAGMA quick_check") != "ok") {
        throw Error(ExitStatus::BadData,
                    "the snapshot of '" + source + "' is damaged; nothing was migrated");
    }
    sync(temporary, O_RDONLY);
}

// Copies the file under its final name only when the copy is whole, sound and synced.
// Call with the write lock held: what is copied is what is migrated, and no other process
// that migrates can put a copy of the new schema in its place.
std::string take_snapshot(const Sqlite &database, int from, int to)
{
    std::string path = database.path() + ".before-migration-" + std::to_string(to) +
                       "-from-" + std::to_string(from);
    const std::string temporary = path + ".tmp." + std::to_string(getpid());
    remove_file(temporary);
    try {
        write_snapshot(database.path(), temporary);
        if (rename(temporary.c_str(), path.c_str()) != 0) {
            throw_errno("cannot rename '" + temporary + "' to '" + path + "'");
        }
    } catch (const Error &) {
        static_cast<void>(unlink(temporary.c_str()));
        throw;
    }
    sync(parent_path(path), O_RDONLY | O_DIRECTORY);
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

void refuse_newer(const Sqlite &database, int version, int newest)
{
    if (version > newest) {
        throw Error(ExitStatus::Config,
                    "'" + database.path() + "' has schema " + std::to_string(version) +
                        ", newer than this program's " + std::to_string(newest) +
                        ": use a newer program");
    }
}

} // namespace

int schema_version(Sqlite &database)
{
    // One statement, so that all three are of one moment while another process makes the
    // database.
    Statement query = database.prepare(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema) = 0 "
        "FROM pragma_application_id, pragma_user_version");
    query.step();
    const int64_t id = query.integer(0);
    const int64_t version = query.integer(1);
    const bool empty = query.integer(2) != 0;
    if (id != application_id && !(empty && version == 0)) {
        throw Error(ExitStatus::BadData,
                    "'" + database.path() + "' is a database of another application");
    }
    return static_cast<int>(version);
}

MigrationResult migrate(Sqlite &database, std::span<const Migration> steps)
{
    const int newest = steps.back().version;
    const auto version = [&] {
        const int found = schema_version(database);
        refuse_newer(database, found, newest);
        return found;
    };
    MigrationResult result{version(), newest, {}};
    if (result.from == newest) {
        return result; // without a lock: the usual case
    }
    const ForeignKeysOff foreign_keys_off(database);
    Transaction transaction(database);
    // Another process may have migrated between the look above and the lock.
    result.from = version();
    if (result.from < newest) {
        if (result.from > 0) {
            result.snapshot = take_snapshot(database, result.from, newest);
        }
        apply(database, steps, result.from);
    }
    transaction.commit();
    return result;
}

} // namespace ap
