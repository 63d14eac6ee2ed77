#pragma once

#include "domain/control.hh"
#include "domain/state.hh"

#include <string_view>

namespace ap {

/// Asks the executors of a run for something and wakes them; what can be done while
/// nobody executes the run (abort, pause, resume, timeout) is done here. Returns the
/// request, which may not be applied yet: see show_control(). Throws what submit_control
/// throws, and Error(Unavailable) for a stop of a run that nobody executes.
Control request_control(State &state, std::string_view run_id, ControlVerb verb,
                        std::string_view phase_id, std::string_view source,
                        const Clock &clock);

} // namespace ap
