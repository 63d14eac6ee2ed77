#include "domain/database_snapshot.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/schema.hh"
#include "sys/path.hh"
#include "sys/process.hh"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ap {

namespace {

void remove_copy(const std::string &path)
{
    remove_file(path);
    remove_file(path + "-journal");
}

// Brings what the log holds into the file, as far as readers let it; whether that was
// all.
bool checkpoint(Sqlite &database)
{
    Statement statement = database.prepare("PRAGMA wal_checkpoint(PASSIVE)");
    if (!statement.step()) {
        return false;
    }
    const int64_t in_log = statement.integer(1); // -1: there is no log
    const bool whole =
        statement.integer(0) == 0 && in_log >= 0 && in_log == statement.integer(2);
    statement.reset();
    return whole;
}

timespec time_of_change(int fd, const std::string &name)
{
    struct stat status = {};
    if (fstat(fd, &status) != 0) {
        throw_errno("cannot look at '" + name + "'");
    }
    return status.st_mtim;
}

} // namespace

DatabaseSnapshot::DatabaseSnapshot(const StatePaths &paths)
    : copy_(join_path(paths.directory, ".autopack-snapshot"))
    , shown_(paths.database)
{
    remove_copy(copy_); // what a process that was killed has left
    if (!freeze(paths)) {
        copy(paths);
    }
}

DatabaseSnapshot::~DatabaseSnapshot()
{
    if (check_.joinable()) {
        check_.join();
    }
    static_cast<void>(unlink(copy_.c_str()));
}

bool DatabaseSnapshot::freeze(const StatePaths &paths)
{
    constexpr int most_tries = 3;
    if (access(paths.database.c_str(), W_OK) != 0) {
        return false;
    }
    file_ = open_file(paths.database, O_RDONLY);
    reader_.emplace(open_database(paths, State::Access::Read));
    Sqlite writer = open_database(paths, State::Access::Write);
    for (int tries = 0; tries < most_tries; tries++) {
        // Most of it while writers go on.
        static_cast<void>(checkpoint(*reader_));
        const Transaction no_writer_now(writer);
        if (checkpoint(*reader_)) {
            begin();
            return true;
        }
    }
    reader_.reset();
    file_.reset();
    return false;
}

void DatabaseSnapshot::copy(const StatePaths &paths)
{
    try {
        file_ = open_file(copy_, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
        open_database(paths, State::Access::Read).copy_to(copy_);
        reader_.emplace(copy_, OpenMode::ReadOnly);
        begin();
    } catch (...) {
        static_cast<void>(unlink(copy_.c_str()));
        throw;
    }
}

// The transaction is there from the first thing that is read. With nothing in the log
// that the file has not, it holds WAL_READ_LOCK(0), by which it reads the file alone; and
// as long as that is held no checkpoint writes to the file (sqlite.org/walformat.html on
// WAL_READ_LOCK; walTryBeginRead() and walCheckpoint() in SQLite's wal.c).
void DatabaseSnapshot::begin()
{
    reader_->execute("BEGIN");
    schema_version_ = ap::schema_version(*reader_);
    size_ = reader_->query_integer("PRAGMA page_count") *
            reader_->query_integer("PRAGMA page_size");
    changed_ = time_of_change(file_.get(), shown_);
}

ReadAt DatabaseSnapshot::reader() const
{
    return [this](char *data, size_t size, int64_t offset) {
        return read(data, size, offset);
    };
}

size_t DatabaseSnapshot::read(char *data, size_t size, int64_t offset) const
{
    const auto want = static_cast<size_t>(
        std::clamp<int64_t>(size_ - offset, 0, static_cast<int64_t>(size)));
    if (read_at(file_.get(), data, want, offset, shown_) != want) {
        throw Error(ExitStatus::BadData, "'" + shown_ + "' is shorter than it says");
    }
    // Bytes 18 and 19 say whether the database has a write-ahead log; this one has none.
    constexpr int64_t first_version = 18;
    for (int64_t at = first_version; at < first_version + 2; at++) {
        if (at >= offset && at < offset + static_cast<int64_t>(want)) {
            data[at - offset] = 1;
        }
    }
    return want;
}

int64_t DatabaseSnapshot::count(const std::string &table)
{
    const bool there = reader_
                           ->prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' "
                                     "AND name = ?1")
                           .bind_all(table)
                           .step();
    return there ? reader_->query_integer("SELECT count(*) FROM \"" + table + "\"") : 0;
}

void DatabaseSnapshot::begin_check()
{
    check_ = std::jthread([this] {
        constexpr int behind = 5; // with the threads that compress
        yield_to_other_threads(behind);
        try {
            // It goes through the pages once, so a cache is of little use.
            reader_->execute("PRAGMA cache_size = -256");
            verdict_ = reader_->query_text("PRAGMA quick_check");
        } catch (const std::exception &error) {
            verdict_ = error.what();
        }
    });
}

void DatabaseSnapshot::finish()
{
    if (check_.joinable()) {
        check_.join();
        if (verdict_ != "ok") {
            throw Error(ExitStatus::BadData,
                        "'" + shown_ + "' is damaged: " + printable(verdict_) +
                            ": see 'ap-db check', restore an older backup");
        }
    }
    const timespec now = time_of_change(file_.get(), shown_);
    if (now.tv_sec != changed_.tv_sec || now.tv_nsec != changed_.tv_nsec) {
        throw Error(ExitStatus::TryAgain,
                    "'" + shown_ + "' was written to by something that is not SQLite");
    }
    reader_.reset();
    file_.reset();
    remove_copy(copy_);
}

} // namespace ap
