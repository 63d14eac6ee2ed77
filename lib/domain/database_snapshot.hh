#pragma once

#include "domain/database_pieces.hh"
#include "domain/state.hh"
#include "sys/fd.hh"
#include "wrap/sqlite.hh"

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <thread>

namespace ap {

/// The state database as of one moment, while others go on writing. For a few
/// milliseconds no writer is let in; SQLite brings all that its log holds into the file,
/// and a read transaction begins. As long as that lasts SQLite writes to its log only, as
/// the transaction may ask for any page of the file, so the file is the snapshot and
/// needs no copy. Where it does not come to that (somebody reads an older moment all the
/// time), SQLite makes a copy (.autopack-snapshot beside the database). Only one process
/// may make a snapshot at a time: hold the lock of the state directory.
class DatabaseSnapshot
{
public:
    explicit DatabaseSnapshot(const StatePaths &paths);
    ~DatabaseSnapshot();
    DatabaseSnapshot(const DatabaseSnapshot &) = delete;
    DatabaseSnapshot &operator=(const DatabaseSnapshot &) = delete;

    /// Bytes of the database.
    int64_t size() const noexcept { return size_; }

    /// Reads the database, as a file that needs no log beside it. For any thread; valid
    /// as long as this lives and finish() was not called.
    ReadAt reader() const;

    int64_t schema_version() const noexcept { return schema_version_; }

    /// Rows of a table; 0 if this schema has none of that name.
    int64_t count(const std::string &table);

    /// Begins to check the snapshot for damage, in a thread.
    void begin_check();

    /// Waits for that, if it was begun, and lets the snapshot go. Throws Error(BadData)
    /// if the database is damaged, Error(TryAgain) if something that is not SQLite wrote
    /// to its file meanwhile: what was read is worth nothing then.
    void finish();

private:
    bool freeze(const StatePaths &paths);
    void copy(const StatePaths &paths);
    void begin();
    size_t read(char *data, size_t size, int64_t offset) const;

    std::string copy_;  // path of the copy
    std::string shown_; // path of the database, for messages
    // Closed after the connection: closing it would give the connection's locks away.
    Fd file_;
    std::optional<Sqlite> reader_;
    int64_t size_ = 0;
    timespec changed_{}; // when the file was last written to
    int64_t schema_version_ = 0;
    std::string verdict_;
    std::jthread check_;
};

} // namespace ap
