#pragma once

#include "base/clock.hh"
#include "domain/control.hh"
#include "domain/state.hh"

#include <chrono>
#include <string>

namespace ap {

/// What somebody outside of the executors asks of them.
struct ControlRequest
{
    std::string run_id;
    ControlVerb verb{};
    std::string phase_id;              ///< for Timeout
    std::chrono::milliseconds wait{0}; ///< for an executor's answer; 0: not at all
    std::string source = "ap-ctl";     ///< what asks, for the record
};

/// Records the request as submit_control() does, wakes the run's executors, and waits for
/// one to answer. Returns what came of it, or "recorded" if there is no answer to wait
/// for. If nobody executes the run, an abort, pause or resume is carried out here, a
/// timeout is left to the next executor, and a stop throws Error(Unavailable) before
/// anything is recorded. Error(TryAgain) if there was no answer in time; the request
/// stands then. Throws what submit_control() throws.
std::string request_control(State &state, const ControlRequest &request,
                            const Clock &clock);

} // namespace ap
