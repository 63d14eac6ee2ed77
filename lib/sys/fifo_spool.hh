#pragma once

#include "base/line_splitter.hh"
#include "sys/fd.hh"

#include <cstdint>
#include <string>

namespace ap {

/// Moves what is in the FIFO `fifo` now to the end of the file at `spool`, which is made
/// (mode 0600) if there is something to move. The bytes never pass through this process
/// (splice(2)): killed at any moment, it leaves each byte in the FIFO or in the file. Any
/// number of processes may do it at once. Stops after 2 MiB. Returns 0 or an errno; what
/// could not be moved is still in the FIFO.
int move_to_spool(int fifo, const char *spool) noexcept;

/// The reading end of a FIFO whose lines must survive this process: they go to a file,
/// and are read from there. Whoever keeps how far it has got (read_to()) with what it
/// made of the lines can go on after a crash without losing or repeating one.
class FifoSpool
{
public:
    /// Opens the FIFO as open_fifo() does. The spool file is made when something comes.
    FifoSpool(const std::string &fifo_path, const std::string &spool_path);

    /// The FIFO: readable when there are new lines.
    int fd() const noexcept { return fifo_.get(); }
    const std::string &fifo_path() const noexcept { return fifo_path_; }
    const std::string &spool_path() const noexcept { return spool_path_; }

    /// Starts anew under other names: renames the FIFO, forgets what is in it, and leaves
    /// the old spool file behind. False if the FIFO is not where it was.
    bool move_to(const std::string &fifo_path, const std::string &spool_path);

    /// Moves what is in the FIFO and reads all lines not read before. Never waits. Throws
    /// SystemError if the file cannot be written (disk full).
    void read_lines(const LineSplitter::Handler &on_line,
                    const LineSplitter::Handler &on_overlong);

    /// The same, after which a last line without a newline counts too.
    void finish(const LineSplitter::Handler &on_line,
                const LineSplitter::Handler &on_overlong);

    /// The position in the spool file behind the last line that was read.
    int64_t read_to() const noexcept { return lines_.given(); }

    /// Gives the disk space before `position` back: lines that are not wanted again.
    void forget_before(int64_t position) noexcept;

private:
    std::string fifo_path_;
    std::string spool_path_;
    Fd fifo_;
    Fd spool_;
    int64_t position_ = 0;
    int64_t forgotten_ = 0;
    LineSplitter lines_;
};

/// Appends `text`, whole lines, to the spool file, as if it had come through its FIFO.
void append_to_spool(const std::string &spool_path, std::string_view text);

/// Follows a spool file that another process, perhaps on another machine, fills. It is
/// opened anew for each look, since only then NFS tells what others have written.
class SpoolTail
{
public:
    /// Begins at `position`, where a line begins. The file need not be there yet.
    SpoolTail(std::string path, int64_t position)
        : path_(std::move(path))
        , begin_(position)
    {
    }

    /// Reads all lines not read before; `last` when nobody writes any more: then a last
    /// line without a newline counts too.
    void read_lines(bool last, const LineSplitter::Handler &on_line,
                    const LineSplitter::Handler &on_overlong);

    /// The position behind the last line that was read.
    int64_t read_to() const noexcept { return begin_ + lines_.given(); }

private:
    std::string path_;
    int64_t begin_;
    int64_t read_ = 0; ///< bytes from there on
    LineSplitter lines_;
};

/// Reads the lines of a spool file whose FIFO has no writer any more, from `position` on,
/// a last one without a newline too, and returns the position behind it. No file there is
/// an empty one.
int64_t read_spool(const std::string &spool_path, int64_t position,
                   const LineSplitter::Handler &on_line,
                   const LineSplitter::Handler &on_overlong);

} // namespace ap
