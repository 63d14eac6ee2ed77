#include "domain/database_snapshot.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/schema.hh"
#include "sys/path.hh"
#include "wrap/sqlite.hh"

#include <fcntl.h>
#include <unistd.h>

namespace ap {

namespace {

void remove_copy(const std::string &path)
{
    remove_file(path);
    remove_file(path + "-journal");
}

} // namespace

DatabaseSnapshot::DatabaseSnapshot(const StatePaths &paths)
    : path_(join_path(paths.directory, ".autopack-snapshot"))
    , shown_(paths.database)
{
    remove_copy(path_); // what a process that was killed has left
    try {
        file_ = open_file(path_, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
        Sqlite database = open_database(paths, State::Access::Read);
        schema_version_ = ap::schema_version(database);
        database.copy_to(path_);
    } catch (...) {
        static_cast<void>(unlink(path_.c_str()));
        throw;
    }
}

DatabaseSnapshot::~DatabaseSnapshot()
{
    if (check_.joinable()) {
        check_.join();
    }
    static_cast<void>(unlink(path_.c_str()));
}

int64_t DatabaseSnapshot::count(const std::string &table) const
{
    Sqlite copy(path_, OpenMode::ReadOnly);
    const bool there = copy.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' "
                                    "AND name = ?1")
                           .bind_all(table)
                           .step();
    return there ? copy.query_integer("SELECT count(*) FROM \"" + table + "\"") : 0;
}

void DatabaseSnapshot::begin_check()
{
    check_ = std::jthread([this] {
        try {
            verdict_ = Sqlite(path_, OpenMode::ReadOnly).query_text("PRAGMA quick_check");
        } catch (const std::exception &error) {
            verdict_ = error.what();
        }
    });
}

void DatabaseSnapshot::require_sound()
{
    check_.join();
    if (verdict_ != "ok") {
        throw Error(ExitStatus::BadData,
                    "'" + shown_ + "' is damaged: " + printable(verdict_) +
                        ": see 'ap-db check', restore an older backup");
    }
}

} // namespace ap
