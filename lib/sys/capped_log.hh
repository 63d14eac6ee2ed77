#pragma once

#include "sys/fd.hh"

#include <cstdint>
#include <string>
#include <string_view>

namespace ap {

/// A file that is appended to and never grows past a limit: its first quarter is kept for
/// good, and when it is full the middle is dropped in place, so that the last half of the
/// limit or more is always there too, with one line between that tells how many bytes are
/// missing ("[... 123 bytes dropped ...]" on a line of its own, of fixed width). The file
/// keeps its inode, so `tail -f` follows it. Opening an existing file goes on with it.
class CappedLog
{
public:
    static constexpr int64_t smallest_limit = 4096;

    /// Opens or makes `path`; `limit` in bytes, at least smallest_limit.
    CappedLog(const std::string &path, int64_t limit);

    /// Appends; throws SystemError when the disk is full.
    void append(std::string_view data);

    /// Bytes ever appended through this object.
    int64_t total() const noexcept { return total_; }

private:
    void drop_middle();

    std::string path_;
    Fd fd_;
    int64_t limit_;
    int64_t size_ = 0;
    int64_t dropped_ = 0;
    int64_t total_ = 0;
};

} // namespace ap
