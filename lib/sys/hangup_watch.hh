#pragma once

#include "sys/fd.hh"

#include <cstdint>
#include <vector>

namespace ap {

/// Tells which of many sockets were closed, or closed for sending, by the other side,
/// whoever else reads them, and gathers other descriptors into the same one to poll.
class HangupWatch
{
public:
    HangupWatch();

    /// Readable when one of the sockets hung up or a gathered descriptor is readable.
    int fd() const noexcept { return fd_.get(); }

    /// Makes fd() readable whenever `fd` is. The caller keeps it open.
    void gather(int fd);

    /// Watches `socket` until it is closed. `id`, not 0, tells it from others for ever.
    void add(int socket, uint64_t id);

    /// The ids that hung up since the last call, each once; never waits. At most 64: if
    /// there are more, fd() stays readable. `readable`: whether fd() may be; if not,
    /// nothing is asked of the system.
    const std::vector<uint64_t> &hung_up(bool readable = true);

private:
    void watch(int fd, uint32_t events, uint64_t id);

    Fd fd_;
    std::vector<uint64_t> ids_;
};

} // namespace ap
