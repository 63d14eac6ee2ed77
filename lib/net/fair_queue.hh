#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ap {

/// What one provider allows; 0: no limit.
struct QueueLimits
{
    int64_t concurrency = 0;
    int64_t requests_per_minute = 0;
    int64_t tokens_per_minute = 0;
};

/// Keeps calls to one provider within its limits, and shares them fairly: of the runs
/// that wait, each goes in turn, however many calls it has waiting; within a run the
/// first comes first. Rates are token buckets that hold a minute's worth.
class FairQueue
{
public:
    using TimePoint = std::chrono::steady_clock::time_point;
    using CallId = uint64_t;

    FairQueue(const QueueLimits &limits, TimePoint now);

    /// New limits; what is under way counts.
    void set_limits(const QueueLimits &limits);

    /// Puts a call in. True if it may go now, else next() or a leave() will let it.
    bool enter(CallId call, std::string_view run, int64_t tokens, TimePoint now);

    /// The call has ended, or waits no longer. Unknown calls are ignored.
    void leave(CallId call);

    /// Nobody goes before `until`: the provider asked for it.
    void hold(TimePoint until) { held_until_ = std::max(held_until_, until); }

    /// The waiting calls whose turn has come, which may go now.
    std::vector<CallId> take_ready(TimePoint now);

    /// When take_ready() may have something though no call leaves; nothing if only a
    /// leave() helps or nobody waits.
    std::optional<TimePoint> next(TimePoint now) const;

    size_t waiting() const noexcept { return waiting_.size(); }
    size_t under_way() const noexcept { return under_way_.size(); }

private:
    struct Waiting
    {
        std::string run;
        int64_t tokens;
    };

    void refill(TimePoint now);
    bool fits(int64_t tokens, TimePoint now) const;
    void go(CallId call, int64_t tokens);

    QueueLimits limits_;
    TimePoint refilled_;
    TimePoint held_until_ = TimePoint::min();
    double requests_ = 0; // left in the buckets
    double tokens_ = 0;
    std::unordered_map<CallId, int64_t> under_way_;
    std::unordered_map<CallId, Waiting> waiting_;
    std::map<std::string, std::deque<CallId>, std::less<>> runs_;
    std::deque<std::string> turns_; // runs that wait, whose turn is next in front
};

} // namespace ap
