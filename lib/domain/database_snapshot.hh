#pragma once

#include "domain/state.hh"
#include "sys/fd.hh"

#include <cstdint>
#include <memory>
#include <string>
#include <thread>

namespace ap {

/// A copy of the state database as of one moment, made by SQLite while others go on
/// writing, in a file beside it (.autopack-snapshot) that goes away with the object. Only
/// one process may make it at a time: hold the lock of the state directory.
class DatabaseSnapshot
{
public:
    explicit DatabaseSnapshot(const StatePaths &paths);
    ~DatabaseSnapshot();
    DatabaseSnapshot(const DatabaseSnapshot &) = delete;
    DatabaseSnapshot &operator=(const DatabaseSnapshot &) = delete;

    /// The file, at its beginning.
    int fd() const noexcept { return file_.get(); }

    int64_t schema_version() const noexcept { return schema_version_; }

    /// Rows of a table; 0 if this schema has none of that name.
    int64_t count(const std::string &table) const;

    /// Begins to check the copy for damage, in a thread.
    void begin_check();

    /// Waits for that; throws Error(BadData) if the database is damaged.
    void require_sound();

private:
    std::string path_;
    std::string shown_; // the database it is a copy of
    Fd file_;
    int64_t schema_version_ = 0;
    std::string verdict_;
    std::jthread check_;
};

} // namespace ap
