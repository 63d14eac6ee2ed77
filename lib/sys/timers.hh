#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

namespace ap {

/// Calls that are due at a time, for a poll loop.
class Timers
{
public:
    using Clock = std::chrono::steady_clock;
    using Id = uint64_t;

    /// Calls `call` once from the first run() after `delay`. Never 0.
    Id after(std::chrono::milliseconds delay, std::function<void()> call);

    /// Unknown ids, and 0, are ignored.
    void cancel(Id id);

    /// How long until the next is due (0: now); nothing without any.
    std::optional<std::chrono::milliseconds> timeout() const;

    /// Makes the calls that are due. They may add and cancel others.
    void run();

private:
    struct Timer
    {
        Id id;
        std::function<void()> call;
    };

    std::multimap<Clock::time_point, Timer> timers_;
    Id last_ = 0;
};

/// The shorter of two timeouts, of which nothing is the longest.
std::optional<std::chrono::milliseconds>
shorter(std::optional<std::chrono::milliseconds> one,
        std::optional<std::chrono::milliseconds> other);

} // namespace ap
