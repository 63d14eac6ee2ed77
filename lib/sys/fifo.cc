#include "sys/fifo.hh"

#include "base/error.hh"
#include "base/text.hh"

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace ap {

namespace {

constexpr size_t longest_line = 65536;
constexpr size_t shown_of_overlong = 200;

// More than a pipe holds: a writer that never pauses must not keep the reader for ever.
constexpr size_t most_at_once = 2 << 20;

} // namespace

FifoReader::FifoReader(const std::string &path)
    : path_(path)
{
    if (mkfifo(path.c_str(), 0600) != 0 && errno != EEXIST) {
        throw_errno("cannot make FIFO '" + path + "'");
    }
    struct stat status = {};
    if (lstat(path.c_str(), &status) == 0 && !S_ISFIFO(status.st_mode)) {
        throw Error(ExitStatus::CannotCreate, "'" + path + "' is in the way of a FIFO");
    }
    // Opened for writing too, or every writer that closes would be an end of file.
    fd_ = open_file(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW);
}

void FifoReader::read_lines(const std::function<void(std::string_view)> &on_line,
                            const std::function<void(std::string_view)> &on_overlong)
{
    std::array<char, 65536> buffer;
    size_t total = 0;
    ssize_t count = 0;
    while (total < most_at_once &&
           (count = read_some(fd_.get(), buffer.data(), buffer.size(),
                              "'" + path_ + "'")) > 0) {
        total += static_cast<size_t>(count);
        std::string_view piece(buffer.data(), static_cast<size_t>(count));
        for (size_t end = 0; (end = piece.find('\n')) != std::string_view::npos;) {
            collect(piece.substr(0, end), on_overlong);
            if (!std::exchange(dropping_, false)) {
                on_line(std::exchange(partial_, {}));
            }
            piece.remove_prefix(end + 1);
        }
        collect(piece, on_overlong);
    }
}

bool FifoReader::move_to(const std::string &path)
{
    if (rename(path_.c_str(), path.c_str()) != 0) {
        if (errno == ENOENT) {
            return false;
        }
        throw_errno("cannot move FIFO '" + path_ + "' to '" + path + "'");
    }
    path_ = path;
    read_lines([](std::string_view) {}, [](std::string_view) {});
    partial_.clear();
    dropping_ = false;
    return true;
}

// Adds a piece to the line that is being read, unless that gets too long.
void FifoReader::collect(std::string_view piece,
                         const std::function<void(std::string_view)> &on_overlong)
{
    if (dropping_) {
        return;
    }
    partial_ += piece;
    if (partial_.size() > longest_line) {
        dropping_ = true;
        on_overlong(std::exchange(partial_, {}).substr(0, shown_of_overlong));
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
