#include "sys/poll_loop.hh"

#include "base/error.hh"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <poll.h>
#include <vector>

namespace ap {

void PollLoop::add(int fd, Handler on_readable)
{
    handlers_[fd] = std::move(on_readable);
}

void PollLoop::remove(int fd)
{
    handlers_.erase(fd);
}

bool PollLoop::run_once(std::optional<std::chrono::milliseconds> timeout)
{
    std::vector<pollfd> watched;
    watched.reserve(handlers_.size());
    for (const auto &entry : handlers_) {
        watched.push_back({entry.first, POLLIN, 0});
    }
    const int wait =
        timeout ? static_cast<int>(std::clamp<int64_t>(timeout->count(), 0, INT_MAX))
                : -1;
    const int ready = poll(watched.data(), watched.size(), wait);
    if (ready < 0 && errno != EINTR) {
        throw_errno("cannot poll");
    }
    if (ready <= 0) {
        return false;
    }
    for (const pollfd &entry : watched) {
        const auto handler = handlers_.find(entry.fd);
        if (entry.revents == 0 || handler == handlers_.end()) {
            continue;
        }
        // A copy, since the handler may remove itself.
        const Handler call = handler->second;
        call();
    }
    return true;
}

} // namespace ap
