#pragma once

#include "domain/approval.hh"

#include <optional>

namespace ap {

/// Waits until the question is decided, withdrawn or expired, and returns what came of
/// it. decide_approval() wakes it; a change that is written past that is seen within a
/// second. TERM, INT or HUP end the wait: then there is no answer yet, and nothing is
/// returned. Call before other threads are started.
std::optional<Approval> wait_for_approval(State &state, int64_t approval_id,
                                          const Clock &clock);

} // namespace ap
