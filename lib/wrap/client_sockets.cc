#include "wrap/client_sockets.hh"

#include "sys/fd.hh"

namespace ap {

ClientSockets::ClientSockets(PollSet *loop)
    : set_(loop != nullptr ? *loop : own_.emplace())
{
}

// The loop may live on.
ClientSockets::~ClientSockets()
{
    for (const int fd : connections_) {
        set_.forget(fd);
    }
}

std::vector<PollSet::Ready> ClientSockets::ready()
{
    return own_ ? set_.ready() : std::vector<PollSet::Ready>();
}

void ClientSockets::close(int fd) noexcept
{
    const Fd closed(fd);
    set_.forget(fd);
    connections_.erase(fd);
}

void ClientSockets::leave(int fd) noexcept
{
    if (connections_.contains(fd)) {
        set_.rest(fd);
    } else {
        set_.forget(fd);
    }
}

} // namespace ap
