#include "sys/fd.hh"

#include "base/error.hh"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace ap {

void Fd::reset(int owned) noexcept
{
    if (fd_ >= 0) {
        // A failed close frees the descriptor all the same; callers for whom a late write
        // error matters call fsync first.
        static_cast<void>(close(fd_));
    }
    fd_ = owned;
}

Fd open_file(const std::string &path, int flags, mode_t mode)
{
    Fd fd(open(path.c_str(), flags | O_CLOEXEC, mode));
    if (!fd) {
        throw_errno("cannot open '" + path + "'");
    }
    return fd;
}

Pipe make_pipe(int flags)
{
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), flags | O_CLOEXEC) != 0) {
        throw_errno("cannot make a pipe");
    }
    return {Fd(ends[0]), Fd(ends[1])};
}

void write_all(int fd, std::string_view data, const std::string &what)
{
    while (!data.empty()) {
        const ssize_t written = write(fd, data.data(), data.size());
        if (written < 0 && errno != EINTR) {
            throw_errno("cannot write " + what);
        }
        if (written > 0) {
            data.remove_prefix(static_cast<size_t>(written));
        }
    }
}

std::string read_all(int fd, size_t limit, const std::string &what)
{
    std::string data;
    std::array<char, 65536> buffer{};
    while (true) {
        const ssize_t count = read_some(fd, buffer.data(), buffer.size(), what);
        if (count < 0) {
            throw SystemError("cannot read " + what, EAGAIN);
        }
        if (count == 0) {
            return data;
        }
        data.append(buffer.data(), static_cast<size_t>(count));
        if (data.size() > limit) {
            throw Error(ExitStatus::BadData,
                        what + ": larger than " + std::to_string(limit) + " bytes");
        }
    }
}

ssize_t read_some(int fd, char *buffer, size_t size, const std::string &what)
{
    while (true) {
        const ssize_t count = read(fd, buffer, size);
        if (count >= 0) {
            return count;
        }
        if (errno == EAGAIN) {
            return -1;
        }
        if (errno != EINTR) {
            throw_errno("cannot read " + what);
        }
    }
}

void set_nonblocking(int fd)
{
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        throw_errno("cannot set O_NONBLOCK");
    }
}

} // namespace ap
