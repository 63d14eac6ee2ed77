#pragma once

#include "domain/budget.hh"
#include "domain/state.hh"

#include <chrono>
#include <functional>
#include <span>
#include <string>

namespace ap {

/// Records usage that was reported from outside of an attempt, all of it or none, and
/// wakes the run's executors. `phase_id` may be empty. Returns whether the budget of the
/// run or the phase is exceeded now. Throws what record_usage() throws.
bool report_usage(State &state, const std::string &run_id, const std::string &phase_id,
                  std::span<const Usage> records, const Clock &clock);

/// Calls `changed` with the run's budget now and whenever its totals are others than
/// before, looking every `interval`, until the run has ended. Returns the last budget.
Budget watch_budget(Sqlite &database, const std::string &run_id,
                    std::chrono::milliseconds interval,
                    const std::function<void(const Budget &)> &changed);

} // namespace ap
