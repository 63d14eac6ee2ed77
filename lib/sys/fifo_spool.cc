#include "sys/fifo_spool.hh"

#include "base/error.hh"
#include "sys/fifo.hh"

#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace ap {

namespace {

// More than a pipe holds: a writer that never pauses must not keep the reader for ever.
constexpr size_t most_at_once = 2 << 20;

// Holes are made in steps of this size, not for every line.
constexpr int64_t forget_step = 1 << 20;

bool lock(int file) noexcept
{
    int result = 0;
    while ((result = flock(file, LOCK_EX)) != 0 && errno == EINTR) {
    }
    return result == 0;
}

// Reads what the file has beyond `position`, and returns where it ends.
int64_t read_beyond(int spool, int64_t position, const std::string &name,
                    LineSplitter &lines, const LineSplitter::Handler &on_line,
                    const LineSplitter::Handler &on_overlong)
{
    std::array<char, 65536> buffer;
    ssize_t count = 0;
    while ((count = pread(spool, buffer.data(), buffer.size(), position)) > 0) {
        position += count;
        lines.feed({buffer.data(), static_cast<size_t>(count)}, on_line, on_overlong);
    }
    if (count < 0) {
        throw_errno("cannot read '" + name + "'");
    }
    return position;
}

void empty(int fifo, const std::string &name)
{
    std::array<char, 65536> buffer;
    size_t total = 0;
    ssize_t count = 0;
    while (total < most_at_once && (count = read_some(fifo, buffer.data(), buffer.size(),
                                                      "'" + name + "'")) > 0) {
        total += static_cast<size_t>(count);
    }
}

} // namespace

int move_to_spool(int fifo, const char *spool) noexcept
{
    int waiting = 0;
    if (ioctl(fifo, FIONREAD, &waiting) == 0 && waiting == 0) {
        return 0;
    }
    const Fd file(open(spool, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file || !lock(file.get()) || lseek(file.get(), 0, SEEK_END) < 0) {
        return errno;
    }
    for (size_t total = 0; total < most_at_once;) {
        const ssize_t moved = splice(fifo, nullptr, file.get(), nullptr,
                                     most_at_once - total, SPLICE_F_NONBLOCK);
        if (moved > 0) {
            total += static_cast<size_t>(moved);
        } else if (moved == 0 || errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

FifoSpool::FifoSpool(const std::string &fifo_path, const std::string &spool_path)
    : fifo_path_(fifo_path)
    , spool_path_(spool_path)
    , fifo_(open_fifo(fifo_path))
{
}

bool FifoSpool::move_to(const std::string &fifo_path, const std::string &spool_path)
{
    if (rename(fifo_path_.c_str(), fifo_path.c_str()) != 0) {
        if (errno == ENOENT) {
            return false;
        }
        throw_errno("cannot move FIFO '" + fifo_path_ + "' to '" + fifo_path + "'");
    }
    fifo_path_ = fifo_path;
    spool_path_ = spool_path;
    empty(fifo_.get(), fifo_path_);
    spool_.reset();
    position_ = 0;
    forgotten_ = 0;
    lines_ = {};
    return true;
}

void FifoSpool::read_lines(const LineSplitter::Handler &on_line,
                           const LineSplitter::Handler &on_overlong)
{
    if (const int error = move_to_spool(fifo_.get(), spool_path_.c_str())) {
        throw SystemError("cannot write '" + spool_path_ + "'", error);
    }
    if (!spool_) {
        // Another process may have made it: it is looked for even if nothing was moved.
        spool_ = Fd(open(spool_path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    }
    if (spool_) {
        position_ = read_beyond(spool_.get(), position_, spool_path_, lines_, on_line,
                                on_overlong);
    } else if (errno != ENOENT) {
        throw_errno("cannot open '" + spool_path_ + "'");
    }
}

void FifoSpool::finish(const LineSplitter::Handler &on_line,
                       const LineSplitter::Handler &on_overlong)
{
    read_lines(on_line, on_overlong);
    lines_.finish(on_line);
}

void FifoSpool::forget_before(int64_t position) noexcept
{
    const int64_t end = position / forget_step * forget_step;
    // Where the file system makes no holes the file just stays larger.
    if (end > forgotten_ &&
        fallocate(spool_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, forgotten_,
                  end - forgotten_) == 0) {
        forgotten_ = end;
    }
}

void append_to_spool(const std::string &spool_path, std::string_view text)
{
    const Fd file = open_file(spool_path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
    if (!lock(file.get()) || lseek(file.get(), 0, SEEK_END) < 0) {
        throw_errno("cannot lock '" + spool_path + "'");
    }
    write_all(file.get(), text, "'" + spool_path + "'");
}

void SpoolTail::read_lines(bool last, const LineSplitter::Handler &on_line,
                           const LineSplitter::Handler &on_overlong)
{
    const Fd spool(open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!spool && errno != ENOENT) {
        throw_errno("cannot open '" + path_ + "'");
    }
    if (spool) {
        read_ = read_beyond(spool.get(), begin_ + read_, path_, lines_, on_line,
                            on_overlong) -
                begin_;
    }
    if (last) {
        lines_.finish(on_line);
    }
}

int64_t read_spool(const std::string &spool_path, int64_t position,
                   const LineSplitter::Handler &on_line,
                   const LineSplitter::Handler &on_overlong)
{
    SpoolTail tail(spool_path, position);
    tail.read_lines(true, on_line, on_overlong);
    return tail.read_to();
}

} // namespace ap
