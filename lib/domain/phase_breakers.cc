#include "domain/phase_breakers.hh"

#include <algorithm>

namespace ap {

namespace {

using namespace std::chrono_literals;
using Milliseconds = std::chrono::milliseconds;

constexpr Milliseconds shortest_wait = 100ms;

// A forced-open breaker names no time; ask again after this.
constexpr Milliseconds forced_open_wait = 5s;

} // namespace

std::optional<Milliseconds> PhaseBreakers::wait_before(const Lease &lease)
{
    if (lease.phase.breaker.empty()) {
        return std::nullopt;
    }
    const BreakerPermit permit = breakers_.allow(lease.phase.breaker);
    if (permit.allowed) {
        if (permit.probe_id) {
            probes_.emplace(lease.attempt_id, *permit.probe_id);
        }
        return std::nullopt;
    }
    const Milliseconds wait = permit.retry_at
                                  ? Milliseconds(*permit.retry_at - clock_.now())
                                  : forced_open_wait;
    return std::max(wait, shortest_wait);
}

void PhaseBreakers::report(const Lease &lease, const AttemptOutcome &outcome)
{
    const std::string &name = lease.phase.breaker;
    if (name.empty()) {
        return;
    }
    const auto held = probes_.extract(lease.attempt_id);
    const std::optional<int64_t> probe =
        held.empty() ? std::nullopt : std::optional(held.mapped());
    switch (outcome.status) {
    case AttemptStatus::Succeeded:
        breakers_.success(name, outcome.duration_ms, probe);
        break;
    case AttemptStatus::Failed:
    case AttemptStatus::TimedOut:
    case AttemptStatus::IdleTimedOut:
        breakers_.failure(name, outcome.reason, outcome.duration_ms, probe);
        break;
    case AttemptStatus::BudgetExhausted:
    case AttemptStatus::Aborted:
    case AttemptStatus::Interrupted:
        breakers_.cancel(name, probe);
        break;
    }
}

} // namespace ap
