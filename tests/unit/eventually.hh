#pragma once

#include <chrono>
#include <poll.h>
#include <thread>

namespace check {

/// Asks `condition` again and again until it holds; false if it does not within `limit`.
template <typename Condition>
bool eventually(const Condition &condition,
                std::chrono::milliseconds limit = std::chrono::seconds(10))
{
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
}

/// Whether `fd` becomes readable, or comes to its end, within `limit`.
inline bool becomes_readable(int fd,
                             std::chrono::milliseconds limit = std::chrono::seconds(10))
{
    pollfd watched = {fd, POLLIN, 0};
    return poll(&watched, 1, static_cast<int>(limit.count())) == 1;
}

} // namespace check
