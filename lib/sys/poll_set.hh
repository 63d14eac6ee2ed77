#pragma once

#include "sys/fd.hh"
#include "sys/poll_window.hh"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

struct epoll_event;

namespace ap {

/// Watches many descriptors, each for reading or writing, and is itself one descriptor to
/// poll.
class PollSet
{
public:
    struct Ready
    {
        int fd;
        bool readable;
        bool writable;
        bool failed; ///< error or hang-up
    };

    PollSet();

    /// Readable when one of the watched is ready.
    int fd() const noexcept { return fd_.get(); }

    /// Watches `fd`, which the caller forgets here before it is closed; replaces what was
    /// watched for before. Throws SystemError.
    void watch(int fd, bool read, bool write);

    /// Tells no more of `fd` until it is watched again. For one that soon will be, for
    /// the same as before: neither then asks the system for anything. The caller forgets
    /// it before it is closed, without exception: otherwise the next descriptor of that
    /// number is taken for it.
    void rest(int fd) noexcept;

    /// Before it sleeps, wait() from now on looks for up to `longest` whether something
    /// is ready, while waits are that short; see PollWindow. Not with 0, nor at first.
    void poll_first(std::chrono::microseconds longest) noexcept
    {
        polls_ = longest.count() > 0;
        window_ = PollWindow(longest);
    }

    /// Unknown ones, and those already closed, are ignored.
    void forget(int fd) noexcept;

    /// Those that are ready now, at most 64; never waits. Valid until the next call.
    const std::vector<Ready> &ready() { return wait(std::chrono::milliseconds(0)); }

    /// The same, but waits until there is one, for at most `timeout` (for ever without
    /// one).
    const std::vector<Ready> &wait(std::optional<std::chrono::milliseconds> timeout);

private:
    struct Watched
    {
        bool known = false; ///< to the kernel
        bool rests = false;
        uint32_t events = 0;
    };

    int next_events(std::span<epoll_event> events, int timeout);

    Fd fd_;
    bool polls_ = false;
    PollWindow window_;
    std::vector<Watched> watched_; ///< by descriptor
    std::vector<Ready> ready_;
};

} // namespace ap
