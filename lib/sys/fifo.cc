#include "sys/fifo.hh"

#include "base/error.hh"
#include "base/text.hh"

#include <array>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ap {

namespace {

// More than a pipe holds: a writer that never pauses must not keep the reader for ever.
constexpr size_t most_at_once = 2 << 20;

} // namespace

Fd open_fifo(const std::string &path)
{
    if (mkfifo(path.c_str(), 0600) != 0 && errno != EEXIST) {
        throw_errno("cannot make FIFO '" + path + "'");
    }
    struct stat status = {};
    if (lstat(path.c_str(), &status) == 0 && !S_ISFIFO(status.st_mode)) {
        throw Error(ExitStatus::CannotCreate, "'" + path + "' is in the way of a FIFO");
    }
    // Opened for writing too, or every writer that closes would be an end of file.
    return open_file(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW);
}

FifoReader::FifoReader(const std::string &path)
    : path_(path)
    , fd_(open_fifo(path))
{
}

void FifoReader::read_lines(const LineSplitter::Handler &on_line,
                            const LineSplitter::Handler &on_overlong)
{
    std::array<char, 65536> buffer;
    size_t total = 0;
    ssize_t count = 0;
    while (total < most_at_once &&
           (count = read_some(fd_.get(), buffer.data(), buffer.size(),
                              "'" + path_ + "'")) > 0) {
        total += static_cast<size_t>(count);
        lines_.feed({buffer.data(), static_cast<size_t>(count)}, on_line, on_overlong);
    }
}

void write_fifo_line(const std::string &path, std::string_view line)
{
    const std::string record = std::string(line) + "\n";
    if (record.size() > PIPE_BUF || line.find('\n') != std::string_view::npos) {
        throw Error(ExitStatus::BadData, "'" + path + "': expected one line of at most " +
                                             std::to_string(PIPE_BUF - 1) +
                                             " bytes, got '" + printable(line, 80) + "'");
    }
    const Fd fifo(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    struct stat status = {};
    if (!fifo && (errno == ENXIO || errno == ENOENT)) {
        throw Error(ExitStatus::Unavailable, "nobody reads '" + path + "'");
    }
    if (!fifo || fstat(fifo.get(), &status) != 0) {
        throw_errno("cannot open '" + path + "'");
    }
    if (!S_ISFIFO(status.st_mode)) {
        throw Error(ExitStatus::Unavailable, "'" + path + "' is not a FIFO");
    }
    // At most PIPE_BUF bytes are written whole or not at all (pipe(7)).
    if (write(fifo.get(), record.data(), record.size()) < 0) {
        if (errno == EAGAIN) {
            throw Error(ExitStatus::TryAgain,
                        "'" + path + "' is full: its reader is stuck");
        }
        throw_errno("cannot write '" + path + "'");
    }
}

} // namespace ap
