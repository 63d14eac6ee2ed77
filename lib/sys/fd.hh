#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>

namespace ap {

/// Owns one file descriptor and closes it. Every descriptor of the suite is opened with
/// O_CLOEXEC.
class Fd
{
public:
    Fd() noexcept = default;

    /// Adopts `owned`, which may be -1 for none.
    explicit Fd(int owned) noexcept
        : fd_(owned)
    {
    }
    Fd(Fd &&other) noexcept
        : fd_(other.release())
    {
    }
    Fd &operator=(Fd &&other) noexcept
    {
        if (this != &other) {
            reset(other.release());
        }
        return *this;
    }
    Fd(const Fd &) = delete;
    Fd &operator=(const Fd &) = delete;
    ~Fd() { reset(); }

    int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    int release() noexcept { return std::exchange(fd_, -1); }
    void reset(int owned = -1) noexcept;

private:
    int fd_ = -1;
};

/// Both ends of a pipe.
struct Pipe
{
    Fd read;
    Fd write;
};

/// Opens `path` with O_CLOEXEC added; throws SystemError naming the path.
Fd open_file(const std::string &path, int flags, mode_t mode = 0666);

/// A pipe with O_CLOEXEC on both ends, plus `flags` (O_NONBLOCK).
Pipe make_pipe(int flags = 0);

/// Writes all of `data`, going on after short writes and EINTR; throws SystemError naming
/// `what`.
void write_all(int fd, std::string_view data, const std::string &what);

/// Everything from `fd` to its end, at most `limit` bytes (more is Error(BadData)).
std::string read_all(int fd, size_t limit, const std::string &what);

/// One read(2) into `buffer`: the bytes that were there, 0 at the end of the file, -1 if
/// nothing is there now (EAGAIN). Any other failure throws SystemError naming `what`.
ssize_t read_some(int fd, char *buffer, size_t size, const std::string &what);

/// Sets O_NONBLOCK on `fd`.
void set_nonblocking(int fd);

} // namespace ap
