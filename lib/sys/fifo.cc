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

constexpr size_t longest_line = 65536;
constexpr size_t shown_of_overlong = 200;

} // namespace

FifoReader::FifoReader(const std::string &path)
    : path_(path)
{
    if (mkfifo(path.c_str(), 0600) != 0 && errno != EEXIST) {
        throw_errno("cannot make FIFO '" + path + "'");
    }
    // Opened for writing too, or every writer that closes would be an end of file.
    fd_ = open_file(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW);
    struct stat status = {};
    if (fstat(fd_.get(), &status) != 0 || !S_ISFIFO(status.st_mode)) {
        throw Error(ExitStatus::CannotCreate, "'" + path + "' is in the way of a FIFO");
    }
}

void FifoReader::read_lines(const std::function<void(std::string_view)> &on_line,
                            const std::function<void(std::string_view)> &on_overlong)
{
    std::array<char, 65536> buffer;
    ssize_t count = 0;
    while ((count = read_some(fd_.get(), buffer.data(), buffer.size(),
                              "'" + path_ + "'")) > 0) {
        std::string_view piece(buffer.data(), static_cast<size_t>(count));
        for (size_t end = 0; (end = piece.find('\n')) != std::string_view::npos;) {
            if (!dropping_) {
                partial_ += piece.substr(0, end);
                on_line(partial_);
            }
            partial_.clear();
            dropping_ = false;
            piece.remove_prefix(end + 1);
        }
        if (!dropping_) {
            partial_ += piece;
        }
        if (partial_.size() > longest_line) {
            on_overlong(std::string_view(partial_).substr(0, shown_of_overlong));
            partial_.clear();
            dropping_ = true;
        }
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
