#pragma once

#include "domain/gateway_ledger.hh"
#include "net/gate_metrics.hh"
#include "net/gate_queues.hh"
#include "net/gate_store.hh"
#include "wrap/json.hh"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace ap {

class GateLoop;

/// What the gateway's loops have in common. From any thread.
class GateShared
{
public:
    /// What a loop had under way after its last turn.
    struct Figures
    {
        std::atomic<size_t> calls = 0;
        std::atomic<size_t> connections = 0;
        std::atomic<size_t> upstream = 0;
        std::atomic<bool> drained = false; ///< it was told to drain, and has done so
    };

    /// Opens `state`, and closes a dead gateway's books.
    GateShared(const StatePaths &state, const LedgerOptions &options, size_t loop_count);

    /// Counts something.
    template <typename Work>
    void count(const Work &work)
    {
        const std::lock_guard lock(metrics_mutex_);
        work(metrics_);
    }

    /// Of the loops the one whose call it is; they number theirs in turn.
    GateLoop &loop_of(uint64_t call) { return *loops[call % loops.size()]; }

    /// Tells this gateway's calls from those of all others, ever.
    std::string request_id(uint64_t call) const;

    /// For /metrics, /healthz, and ap-ctl and /status; and one line for people.
    std::string metrics();
    std::string trouble() const;
    Json status();
    std::string status_line();

    const StatePaths paths;
    GateStore store;
    GatewayLedger ledger;
    GateQueues queues;
    std::vector<Figures> figures;  ///< by loop
    std::vector<GateLoop *> loops; ///< theirs who made them; all, before any is run
    std::atomic<bool> draining = false;

private:
    GateGauges gauges();

    std::string instance_; // part of request ids
    std::mutex metrics_mutex_;
    GateMetrics metrics_; // guarded by it
};

} // namespace ap
