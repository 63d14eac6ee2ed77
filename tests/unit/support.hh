#pragma once

#include "base/clock.hh"
#include "domain/schema.hh"
#include "domain/state.hh"
#include "sys/path.hh"
#include "wrap/sqlite.hh"

#include <cstdlib>
#include <string>

namespace check {

/// A directory under TMPDIR that lives as long as the object.
class TemporaryDirectory
{
public:
    TemporaryDirectory()
    {
        const char *base = std::getenv("TMPDIR");
        path_ = std::string(base == nullptr ? "/tmp" : base) + "/ap-test-XXXXXX";
        if (mkdtemp(path_.data()) == nullptr) {
            ap::throw_errno("cannot make '" + path_ + "'");
        }
    }
    ~TemporaryDirectory() { ap::remove_tree(path_); }
    TemporaryDirectory(const TemporaryDirectory &) = delete;
    TemporaryDirectory &operator=(const TemporaryDirectory &) = delete;

    std::string file(std::string_view name) const { return ap::join_path(path_, name); }
    const std::string &path() const { return path_; }

private:
    std::string path_;
};

/// Where a state in that directory has its files, whatever the environment says.
inline ap::StatePaths paths_in(const TemporaryDirectory &directory)
{
    return {directory.file("autopack.db"), directory.file("runs"), directory.path()};
}

/// A migrated database in a file of its own.
class TemporaryDatabase
{
public:
    TemporaryDatabase()
        : database_(directory_.file("autopack.db"), ap::OpenMode::Create)
    {
        database_.execute("PRAGMA journal_mode = WAL");
        database_.execute("PRAGMA foreign_keys = ON");
        database_.execute("PRAGMA synchronous = OFF");
        ap::migrate(database_, ap::migrations());
    }

    ap::Sqlite &get() { return database_; }
    const TemporaryDirectory &directory() const { return directory_; }

private:
    TemporaryDirectory directory_;
    ap::Sqlite database_;
};

/// A clock that stands still until it is told otherwise.
class ManualClock final : public ap::Clock
{
public:
    ap::UnixMs now() const override { return now_; }
    std::chrono::milliseconds monotonic() const override { return monotonic_; }
    /// The calendar alone jumps.
    void set(ap::UnixMs now) { now_ = now; }
    void advance(std::chrono::milliseconds by)
    {
        now_ += by.count();
        monotonic_ += by;
    }

private:
    ap::UnixMs now_ = 1'800'000'000'000;
    std::chrono::milliseconds monotonic_{1000};
};

} // namespace check
