#include "sys/timers.hh"

#include <algorithm>

namespace ap {

Timers::Id Timers::after(std::chrono::milliseconds delay, std::function<void()> call)
{
    timers_.insert({Clock::now() + delay, {++last_, std::move(call)}});
    return last_;
}

// There are few: only calls that wait have one.
void Timers::cancel(Id id)
{
    for (auto timer = timers_.begin(); timer != timers_.end(); ++timer) {
        if (timer->second.id == id) {
            timers_.erase(timer);
            return;
        }
    }
}

std::optional<std::chrono::milliseconds> Timers::timeout() const
{
    if (timers_.empty()) {
        return std::nullopt;
    }
    return std::max(std::chrono::milliseconds(0),
                    std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first -
                                                                 Clock::now()));
}

void Timers::run()
{
    if (timers_.empty()) {
        return;
    }
    const Clock::time_point now = Clock::now();
    while (!timers_.empty() && timers_.begin()->first <= now) {
        const std::function<void()> call = std::move(timers_.begin()->second.call);
        timers_.erase(timers_.begin());
        call();
    }
}

std::optional<std::chrono::milliseconds>
shorter(std::optional<std::chrono::milliseconds> one,
        std::optional<std::chrono::milliseconds> other)
{
    if (!one || !other) {
        return one ? one : other;
    }
    return std::min(*one, *other);
}

} // namespace ap
