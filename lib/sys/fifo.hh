#pragma once

#include "sys/fd.hh"

#include <functional>
#include <string>
#include <string_view>

namespace ap {

/// The reading end of a FIFO of newline-ended records. Makes the FIFO (mode 0600) if it
/// is not there, and holds it open for writing too, so that there is no end of file
/// between two writers. It does not remove the FIFO.
class FifoReader
{
public:
    /// Throws Error(CannotCreate) if something that is not a FIFO is at `path`.
    explicit FifoReader(const std::string &path);

    int fd() const noexcept { return fd_.get(); }
    const std::string &path() const noexcept { return path_; }

    /// Calls `on_line` for every whole line that is there now, without the newline. A
    /// line longer than 64 KiB is dropped to its end and given to `on_overlong` as its
    /// first 200 bytes. Never waits, and comes back after 2 MiB even if a writer never
    /// pauses; the descriptor is readable then.
    void read_lines(const std::function<void(std::string_view)> &on_line,
                    const std::function<void(std::string_view)> &on_overlong);

    /// Renames the FIFO and forgets what is in it; false if it is not where it was.
    bool move_to(const std::string &path);

private:
    void collect(std::string_view piece,
                 const std::function<void(std::string_view)> &on_overlong);

    std::string path_;
    Fd fd_;
    std::string partial_;
    bool dropping_ = false;
};

/// Writes `line` and a newline to the FIFO at `path` in one write of at most PIPE_BUF
/// bytes, never waiting. Throws Error(Unavailable) if there is no FIFO or nobody reads it
/// (ENXIO), Error(TryAgain) if it is full, Error(BadData) if the line is too long.
void write_fifo_line(const std::string &path, std::string_view line);

} // namespace ap
