#include "sys/poll_set.hh"

#include "base/error.hh"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <sys/epoll.h>

namespace ap {

PollSet::PollSet()
    : fd_(epoll_create1(EPOLL_CLOEXEC))
{
    if (!fd_) {
        throw_errno("cannot make an epoll descriptor");
    }
}

void PollSet::watch(int fd, bool read, bool write)
{
    epoll_event event{};
    event.data.fd = fd;
    event.events = (read ? EPOLLIN : 0u) | (write ? EPOLLOUT : 0u);
    if (epoll_ctl(fd_.get(), EPOLL_CTL_MOD, fd, &event) != 0 &&
        (errno != ENOENT || epoll_ctl(fd_.get(), EPOLL_CTL_ADD, fd, &event) != 0)) {
        throw_errno("cannot watch a descriptor");
    }
}

void PollSet::forget(int fd) noexcept
{
    static_cast<void>(epoll_ctl(fd_.get(), EPOLL_CTL_DEL, fd, nullptr));
}

const std::vector<PollSet::Ready> &
PollSet::wait(std::optional<std::chrono::milliseconds> timeout)
{
    ready_.clear();
    std::array<epoll_event, 64> events; // the kernel fills those that are read
    const int most =
        timeout ? static_cast<int>(std::clamp<int64_t>(timeout->count(), 0, INT_MAX))
                : -1;
    const int count = epoll_wait(fd_.get(), events.data(), events.size(), most);
    if (count < 0 && errno != EINTR) {
        throw_errno("cannot poll");
    }
    for (int i = 0; i < count; i++) {
        const epoll_event &event = events.at(static_cast<size_t>(i));
        ready_.push_back({event.data.fd, (event.events & EPOLLIN) != 0,
                          (event.events & EPOLLOUT) != 0,
                          (event.events & (EPOLLERR | EPOLLHUP)) != 0});
    }
    return ready_;
}

} // namespace ap
