#include "net/fair_queue.hh"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ap {

namespace {

using Seconds = std::chrono::duration<double>;

// Seconds until a bucket that is refilled at `per_minute` holds `needed`.
double wait_for(double held, double needed, int64_t per_minute)
{
    return per_minute == 0 || held >= needed
               ? 0
               : (needed - held) * 60 / static_cast<double>(per_minute);
}

// What a call needs there to be: more than a bucket holds would never come.
double needed_tokens(int64_t tokens, int64_t per_minute)
{
    return static_cast<double>(std::min(tokens, per_minute));
}

} // namespace

FairQueue::FairQueue(const QueueLimits &limits, TimePoint now)
    : limits_(limits)
    , refilled_(now)
    , requests_(static_cast<double>(limits.requests_per_minute))
    , tokens_(static_cast<double>(limits.tokens_per_minute))
{
}

void FairQueue::set_limits(const QueueLimits &limits)
{
    requests_ +=
        static_cast<double>(limits.requests_per_minute - limits_.requests_per_minute);
    tokens_ += static_cast<double>(limits.tokens_per_minute - limits_.tokens_per_minute);
    limits_ = limits;
}

void FairQueue::refill(TimePoint now)
{
    const double minutes = Seconds(now - refilled_).count() / 60;
    refilled_ = now;
    const auto requests = static_cast<double>(limits_.requests_per_minute);
    const auto tokens = static_cast<double>(limits_.tokens_per_minute);
    requests_ = std::min(requests_ + minutes * requests, requests);
    tokens_ = std::min(tokens_ + minutes * tokens, tokens);
}

bool FairQueue::fits(int64_t tokens, TimePoint now) const
{
    const bool place = limits_.concurrency == 0 ||
                       static_cast<int64_t>(under_way_.size()) < limits_.concurrency;
    const bool request = limits_.requests_per_minute == 0 || requests_ >= 1;
    const bool amount = limits_.tokens_per_minute == 0 ||
                        tokens_ >= needed_tokens(tokens, limits_.tokens_per_minute);
    return place && request && amount && now >= held_until_;
}

void FairQueue::go(CallId call, int64_t tokens)
{
    under_way_[call] = tokens;
    requests_ -= 1;
    tokens_ -= static_cast<double>(tokens);
}

bool FairQueue::enter(CallId call, std::string_view run, int64_t tokens, TimePoint now)
{
    refill(now);
    if (waiting_.empty() && fits(tokens, now)) {
        go(call, tokens);
        return true;
    }
    waiting_.insert({call, {std::string(run), tokens}});
    auto queue = runs_.find(run);
    if (queue == runs_.end()) {
        queue = runs_.insert({std::string(run), {}}).first;
        turns_.emplace_back(run);
    }
    queue->second.push_back(call);
    return false;
}

void FairQueue::leave(CallId call)
{
    if (under_way_.erase(call) != 0) {
        return;
    }
    const auto waits = waiting_.find(call);
    if (waits == waiting_.end()) {
        return;
    }
    const std::string run = std::move(waits->second.run);
    waiting_.erase(waits);
    std::deque<CallId> &queue = runs_[run];
    queue.erase(std::find(queue.begin(), queue.end(), call));
    if (queue.empty()) {
        runs_.erase(run);
        turns_.erase(std::find(turns_.begin(), turns_.end(), run));
    }
}

std::vector<FairQueue::CallId> FairQueue::take_ready(TimePoint now)
{
    std::vector<CallId> ready;
    refill(now);
    while (!turns_.empty()) {
        const std::string run = turns_.front();
        std::deque<CallId> &queue = runs_[run];
        const CallId call = queue.front();
        const int64_t tokens = waiting_.at(call).tokens;
        if (!fits(tokens, now)) {
            break;
        }
        go(call, tokens);
        ready.push_back(call);
        waiting_.erase(call);
        queue.pop_front();
        turns_.pop_front();
        if (queue.empty()) {
            runs_.erase(run);
        } else {
            turns_.push_back(run);
        }
    }
    return ready;
}

std::optional<FairQueue::TimePoint> FairQueue::next(TimePoint now) const
{
    const bool place = limits_.concurrency == 0 ||
                       static_cast<int64_t>(under_way_.size()) < limits_.concurrency;
    if (turns_.empty() || !place) {
        return std::nullopt;
    }
    const CallId call = runs_.find(turns_.front())->second.front();
    const double tokens =
        needed_tokens(waiting_.at(call).tokens, limits_.tokens_per_minute);
    const double wait = std::max(wait_for(requests_, 1, limits_.requests_per_minute),
                                 wait_for(tokens_, tokens, limits_.tokens_per_minute));
    const auto due =
        refilled_ + std::chrono::ceil<std::chrono::milliseconds>(Seconds(wait));
    return std::max({now, held_until_, TimePoint(due)});
}

} // namespace ap
