#include "sys/hangup_watch.hh"

#include "base/error.hh"

#include <array>
#include <cerrno>
#include <sys/epoll.h>

namespace ap {

namespace {

constexpr uint64_t gathered = 0;

} // namespace

HangupWatch::HangupWatch()
    : fd_(epoll_create1(EPOLL_CLOEXEC))
{
    if (!fd_) {
        throw_errno("cannot make an epoll descriptor");
    }
}

void HangupWatch::gather(int fd)
{
    watch(fd, EPOLLIN, gathered);
}

void HangupWatch::add(int socket, uint64_t id)
{
    watch(socket, EPOLLRDHUP | EPOLLET, id);
}

void HangupWatch::watch(int fd, uint32_t events, uint64_t id)
{
    epoll_event event{};
    event.events = events;
    event.data.u64 = id;
    if (epoll_ctl(fd_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        throw_errno("cannot watch a connection");
    }
}

const std::vector<uint64_t> &HangupWatch::hung_up(bool readable)
{
    ids_.clear();
    if (!readable) {
        return ids_;
    }
    std::array<epoll_event, 64> events{};
    const int ready = epoll_wait(fd_.get(), events.data(), events.size(), 0);
    if (ready < 0 && errno != EINTR) {
        throw_errno("cannot poll connections");
    }
    for (int i = 0; i < ready; i++) {
        const uint64_t id = events.at(static_cast<size_t>(i)).data.u64;
        if (id != gathered) {
            ids_.push_back(id);
        }
    }
    return ids_;
}

} // namespace ap
