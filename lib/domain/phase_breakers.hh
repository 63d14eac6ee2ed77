#pragma once

#include "domain/breaker.hh"
#include "domain/lease.hh"

#include <chrono>
#include <map>
#include <optional>

namespace ap {

/// The breakers that an executor's phases name: asked before an attempt starts, told how
/// it ended.
class PhaseBreakers
{
public:
    PhaseBreakers(Sqlite &database, const Clock &clock)
        : breakers_(database, clock)
        , clock_(clock)
    {
    }

    /// Nothing if the attempt may start, else how long to wait before it asks again. Call
    /// in the transaction of the lease.
    std::optional<std::chrono::milliseconds> wait_before(const Lease &lease);

    /// Reports an attempt that wait_before() has let through. Call in the transaction
    /// that ends it.
    void report(const Lease &lease, const AttemptOutcome &outcome);

private:
    Breakers breakers_;
    const Clock &clock_;
    std::map<int64_t, int64_t> probes_; ///< attempt: its probe
};

} // namespace ap
