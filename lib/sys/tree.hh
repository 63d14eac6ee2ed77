#pragma once

#include "sys/fd.hh"

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace ap {

/// A directory with all below it, which is never left: the kernel resolves each path from
/// the open root (openat2(2)) and refuses links, other file systems and "..", so that
/// nobody who exchanges a directory for a link meanwhile can lead a write elsewhere.
/// Paths are relative, without a leading slash. A path that leads through a link or out
/// of the tree is Error(NoPermission), one that leads through a file Error(BadData), all
/// else SystemError.
class Tree
{
public:
    enum class Kind { Nothing, File, Directory, Link, Other };

    /// What is at a path.
    struct Entry
    {
        Kind kind = Kind::Nothing;
        mode_t mode = 0; ///< permission bits
        int64_t size = 0;
    };

    /// Opens the directory at `root`, which itself may be a link.
    explicit Tree(const std::string &root);

    const std::string &root() const noexcept { return root_; }

    /// What is at `path`, a link not followed; nothing if it or a directory above is
    /// missing.
    Entry look(const std::string &path) const;

    /// The whole of the regular file at `path`; more than `limit` bytes is
    /// Error(BadData).
    std::string read(const std::string &path, size_t limit) const;

    /// Makes a new file with these bytes and permission bits, synced; it must not be
    /// there.
    void create(const std::string &path, std::string_view bytes, mode_t mode) const;

    /// Makes a directory, which must not be there.
    void make_directory(const std::string &path, mode_t mode) const;

    /// The directories above `path` that are missing, uppermost first.
    std::vector<std::string> missing_directories(const std::string &path) const;

    /// Renames, replacing what is at `to`, never following it.
    void move(const std::string &from, const std::string &to) const;

    /// Removes a file; nothing there is no error.
    void remove(const std::string &path) const;

    /// Removes a directory; false if it is not empty or not there.
    bool remove_directory(const std::string &path) const;

    /// The names in a directory, in no order; none if it is not there.
    std::vector<std::string> names_in(const std::string &path) const;

    /// Waits until the names in the directory at `path` are on the disk; "" is the root.
    /// One that is not there is no error.
    void sync_directory(const std::string &path) const;

private:
    struct Place
    {
        Fd directory;
        std::string name;
    };
    Fd open(const std::string &path, int flags, mode_t mode = 0) const;
    Fd try_open(const std::string &path, int flags) const;
    Place place_of(const std::string &path) const;
    [[noreturn]] void fail(const std::string &what, const std::string &path) const;

    std::string root_;
    Fd directory_;
};

} // namespace ap
