#pragma once

#include "sys/fd.hh"
#include "sys/poll_set.hh"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace ap {

/// Accepts connections for several event loops, the *takers*: each goes to the one that
/// has the fewest, as a kernel that lets them race for it would not share them evenly.
/// All functions but closed() are for the thread whose loop the sockets are watched in.
class Acceptor
{
public:
    /// Given a connection, non-blocking; `listener`: which of the sockets it came from.
    using Give = std::function<void(size_t taker, size_t listener, Fd connection)>;

    /// Watches the listening sockets in `loop`, which must outlive it. Of more than
    /// `limit` connections at once the others wait in the kernel's queue.
    Acceptor(std::vector<Fd> listening, PollSet &loop, size_t limit, size_t takers,
             Give give);
    ~Acceptor();
    Acceptor(const Acceptor &) = delete;
    Acceptor &operator=(const Acceptor &) = delete;

    /// Accepts what waits, if `fd` is one of the sockets; false if it is not.
    bool take_ready(int fd);

    /// run() is due after this time at the latest.
    std::optional<std::chrono::milliseconds> timeout() const;

    /// Goes on where there was no place or no descriptor left before.
    void run();

    /// A taker says how many of those it was given are closed by now, from any thread.
    /// True if that made a place for one that waits: run() is then to be called soon.
    bool closed(size_t taker, uint64_t count) noexcept;

    /// Closes the sockets.
    void close() noexcept;

private:
    using Steady = std::chrono::steady_clock;
    struct Taker
    {
        uint64_t given = 0;
        std::atomic<uint64_t> closed = 0;
        uint64_t open() const noexcept { return given - closed.load(); }
    };

    void watch(bool accepts);
    size_t least_busy() const noexcept;
    bool is_full() const noexcept;
    bool accept_one(size_t listener);

    std::vector<Fd> listening_;
    PollSet &loop_;
    size_t limit_;
    Give give_;
    std::vector<Taker> takers_;
    std::atomic<bool> full_ = false;
    std::optional<Steady::time_point> pause_; ///< until then no descriptor is left
};

} // namespace ap
