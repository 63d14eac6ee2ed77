#include "net/gate_queues.hh"

#include "sys/timers.hh"

namespace ap {

namespace {

QueueLimits limits_of(const GateProvider &provider)
{
    return {provider.concurrency, provider.requests_per_minute,
            provider.tokens_per_minute};
}

} // namespace

FairQueue &GateQueues::queue(const GateProvider &provider)
{
    const auto found = queues_.find(provider.name);
    return found != queues_.end()
               ? found->second
               : queues_
                     .emplace(provider.name,
                              FairQueue(limits_of(provider), Steady::now()))
                     .first->second;
}

template <typename Work>
auto GateQueues::at_queue(const GateProvider &provider, const Work &work)
{
    const std::lock_guard lock(mutex_);
    FairQueue &at = queue(provider);
    const size_t waited = at.waiting();
    const auto result = work(at);
    waiting_ += at.waiting() - waited;
    return result;
}

void GateQueues::set_limits(std::span<const GateProvider> providers)
{
    const std::lock_guard lock(mutex_);
    for (const GateProvider &provider : providers) {
        queue(provider).set_limits(limits_of(provider));
    }
}

bool GateQueues::enter(const GateProvider &provider, CallId call, std::string_view run,
                       int64_t tokens)
{
    return at_queue(provider, [&](FairQueue &queue) {
        return queue.enter(call, run, tokens, Steady::now());
    });
}

void GateQueues::leave(const GateProvider &provider, CallId call)
{
    at_queue(provider, [&](FairQueue &queue) {
        queue.leave(call);
        return true;
    });
}

void GateQueues::hold(const GateProvider &provider, Steady::time_point until)
{
    const std::lock_guard lock(mutex_);
    queue(provider).hold(until);
}

std::vector<GateQueues::CallId> GateQueues::take_ready()
{
    std::vector<CallId> ready;
    if (waiting_ == 0) {
        return ready;
    }
    const std::lock_guard lock(mutex_);
    const auto now = Steady::now();
    for (auto &[name, queue] : queues_) {
        if (queue.waiting() > 0) {
            const std::vector<CallId> turn = queue.take_ready(now);
            ready.insert(ready.end(), turn.begin(), turn.end());
            waiting_ -= turn.size();
        }
    }
    return ready;
}

std::optional<std::chrono::milliseconds> GateQueues::due_in() const
{
    std::optional<std::chrono::milliseconds> due;
    if (waiting_ == 0) {
        return due;
    }
    const std::lock_guard lock(mutex_);
    const auto now = Steady::now();
    for (const auto &[name, queue] : queues_) {
        const auto next = queue.waiting() > 0 ? queue.next(now) : std::nullopt;
        if (next) {
            due = shorter(due, std::chrono::ceil<std::chrono::milliseconds>(*next - now));
        }
    }
    return due;
}

} // namespace ap
