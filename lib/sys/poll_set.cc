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
    const auto index = static_cast<size_t>(fd);
    if (index >= watched_.size()) {
        watched_.resize(index + 1);
    }
    Watched &watched = watched_[index];
    epoll_event event{};
    event.data.fd = fd;
    event.events = (read ? EPOLLIN : 0u) | (write ? EPOLLOUT : 0u);
    if (watched.rests && watched.events == event.events) {
        watched.rests = false;
        return;
    }
    // Who closes a descriptor without a word has taken it out of the kernel's set.
    const int first = watched.known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    const int other = watched.known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(fd_.get(), first, fd, &event) != 0 &&
        ((errno != ENOENT && errno != EEXIST) ||
         epoll_ctl(fd_.get(), other, fd, &event) != 0)) {
        throw_errno("cannot watch a descriptor");
    }
    watched = {true, false, event.events};
}

void PollSet::rest(int fd) noexcept
{
    const auto index = static_cast<size_t>(fd);
    if (index < watched_.size()) {
        watched_[index].rests = watched_[index].known;
    }
}

void PollSet::forget(int fd) noexcept
{
    const auto index = static_cast<size_t>(fd);
    if (index < watched_.size()) {
        watched_[index] = {};
    }
    static_cast<void>(epoll_ctl(fd_.get(), EPOLL_CTL_DEL, fd, nullptr));
}

// As epoll_wait(), but looks for as long as that pays before it sleeps.
int PollSet::next_events(std::span<epoll_event> events, int timeout)
{
    using Clock = std::chrono::steady_clock;
    const auto wait = [&](int longest) {
        return epoll_wait(fd_.get(), events.data(), static_cast<int>(events.size()),
                          longest);
    };
    if (!polls_ || timeout == 0) {
        return wait(timeout);
    }
    int count = wait(0);
    if (count != 0) {
        return count; // what need not be waited for tells nothing of waits
    }
    PollWindow::Time most = window_.length();
    if (timeout > 0) {
        most = std::min<PollWindow::Time>(most, std::chrono::milliseconds(timeout));
    }
    const auto began = Clock::now();
    PollWindow::Time spent{0};
    while (count == 0 && spent < most) {
        count = wait(0);
        spent = Clock::now() - began;
    }
    if (count == 0) {
        count = wait(timeout);
        spent = Clock::now() - began;
    }
    window_.waited(spent);
    return count;
}

const std::vector<PollSet::Ready> &
PollSet::wait(std::optional<std::chrono::milliseconds> timeout)
{
    ready_.clear();
    std::array<epoll_event, 64> events; // the kernel fills those that are read
    const int most =
        timeout ? static_cast<int>(std::clamp<int64_t>(timeout->count(), 0, INT_MAX))
                : -1;
    const int count = next_events(events, most);
    if (count < 0 && errno != EINTR) {
        throw_errno("cannot poll");
    }
    for (int i = 0; i < count; i++) {
        const epoll_event &event = events.at(static_cast<size_t>(i));
        if (watched_[static_cast<size_t>(event.data.fd)].rests) {
            forget(event.data.fd); // what rests and has something to tell tells it once
            continue;
        }
        ready_.push_back({event.data.fd, (event.events & EPOLLIN) != 0,
                          (event.events & EPOLLOUT) != 0,
                          (event.events & (EPOLLERR | EPOLLHUP)) != 0});
    }
    return ready_;
}

} // namespace ap
