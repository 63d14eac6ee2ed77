#pragma once

#include "sys/poll_set.hh"

#include <optional>
#include <unordered_set>
#include <vector>

namespace ap {

/// The sockets of a client whose connections are used again and again. Between two uses
/// one is of no interest, but stays known to the kernel, as the next use is likely to
/// watch it for the same: that spares three calls of the system, 2 us, each time.
class ClientSockets
{
public:
    /// Watches in `loop`, which must outlive this; null: in a set of its own.
    explicit ClientSockets(PollSet *loop);
    ~ClientSockets();
    ClientSockets(const ClientSockets &) = delete;
    ClientSockets &operator=(const ClientSockets &) = delete;

    /// Readable when one of the sockets is ready (or another in the loop).
    int fd() const noexcept { return set_.fd(); }

    /// Those that are ready now in a set of its own; none in a loop, which tells them.
    std::vector<PollSet::Ready> ready();

    /// A connection's socket, which is to be closed by close() and by nothing else.
    /// Others may be watched, too.
    void opened(int fd) { connections_.insert(fd); }
    void close(int fd) noexcept;

    /// Watches a socket, from now on or again. Throws SystemError.
    void watch(int fd, bool read, bool write) { set_.watch(fd, read, write); }

    /// Watches it no more, for the time being if it is a connection's.
    void leave(int fd) noexcept;

private:
    std::optional<PollSet> own_;
    PollSet &set_;
    std::unordered_set<int> connections_;
};

} // namespace ap
