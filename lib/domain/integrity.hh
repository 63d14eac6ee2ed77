#pragma once

#include "domain/state.hh"
#include "wrap/sqlite.hh"

#include <string>
#include <vector>

namespace ap {

/// One thing that does not hold.
struct Finding
{
    std::string rule;   ///< "integrity", "foreign-key", "budget-total", ...
    std::string detail; ///< names table, run and phase
};

/// integrity_check, foreign_key_check, and the suite's own invariants: budgets equal the
/// sums of usage and open reservations; open and failed counters of runs and tiers,
/// blockers of phases equal what the statuses say; at most one open attempt per phase and
/// one exactly for each executing phase; the last status event of every run and phase is
/// its status; ended runs have no open attempts. Reads everything: its cost grows with
/// the history.
std::vector<Finding> check_integrity(Sqlite &database);

/// Removes the connections of dead processes (pid, start time, boot) and records the
/// executors among them as died and their open attempts as interrupted, their phases
/// queued again (failed once `max_interruptions` is passed). What such an attempt left
/// running is ended first. Closes the books of gateways that died. With a run id, only
/// that run's executors.
CleanupResult forget_dead_processes(State &state, std::string_view run_id = {});

} // namespace ap
