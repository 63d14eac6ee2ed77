#pragma once

#include "net/fair_queue.hh"
#include "net/gate_config.hh"

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace ap {

/// The queues of all providers, which the gateway's loops have in common. From any
/// thread.
class GateQueues
{
public:
    using Steady = std::chrono::steady_clock;
    using CallId = FairQueue::CallId;

    /// New limits; what is under way counts.
    void set_limits(std::span<const GateProvider> providers);

    /// As FairQueue::enter().
    bool enter(const GateProvider &provider, CallId call, std::string_view run,
               int64_t tokens);
    void leave(const GateProvider &provider, CallId call);
    void hold(const GateProvider &provider, Steady::time_point until);

    /// The waiting calls whose turn has come: whoever takes them has them go.
    std::vector<CallId> take_ready();

    /// take_ready() may have something after this; nothing if nobody waits, or only a
    /// leave() helps.
    std::optional<std::chrono::milliseconds> due_in() const;

    size_t waiting() const noexcept { return waiting_; }

private:
    FairQueue &queue(const GateProvider &provider);
    template <typename Work>
    auto at_queue(const GateProvider &provider, const Work &work);

    mutable std::mutex mutex_;                          ///< guards what follows
    std::unordered_map<std::string, FairQueue> queues_; ///< by provider
    std::atomic<size_t> waiting_ = 0; ///< in all of them; read without the lock
};

} // namespace ap
