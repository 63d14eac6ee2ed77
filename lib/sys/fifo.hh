#pragma once

#include "base/line_splitter.hh"
#include "sys/fd.hh"

#include <string>
#include <string_view>

namespace ap {

/// Opens the FIFO at `path` for reading, after making it (mode 0600) if it is not there.
/// It is open for writing too, so that there is no end of file between two writers.
/// Throws Error(CannotCreate) if something that is not a FIFO is at `path`.
Fd open_fifo(const std::string &path);

/// The reading end of a FIFO of newline-ended records, as open_fifo() opens it. It does
/// not remove the FIFO.
class FifoReader
{
public:
    explicit FifoReader(const std::string &path);

    int fd() const noexcept { return fd_.get(); }

    /// Calls `on_line` for every whole line that is there now, without the newline, and
    /// `on_overlong` as LineSplitter does. Never waits, and comes back after 2 MiB even
    /// if a writer never pauses; the descriptor is readable then.
    void read_lines(const LineSplitter::Handler &on_line,
                    const LineSplitter::Handler &on_overlong);

private:
    std::string path_;
    Fd fd_;
    LineSplitter lines_;
};

/// Writes `line` and a newline to the FIFO at `path` in one write of at most PIPE_BUF
/// bytes, never waiting. Throws Error(Unavailable) if there is no FIFO or nobody reads it
/// (ENXIO), Error(TryAgain) if it is full, Error(BadData) if the line is too long.
void write_fifo_line(const std::string &path, std::string_view line);

} // namespace ap
