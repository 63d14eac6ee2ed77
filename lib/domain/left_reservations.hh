#pragma once

#include "base/clock.hh"
#include "wrap/sqlite.hh"

#include <cstdint>
#include <string_view>

namespace ap {

/// Settles the calls of an attempt whose processes were killed before they could settle
/// them (the reservations with a ReservedCall): the provider was asked, nobody knows what
/// it used, so each is an estimate of all that was reserved. For whoever ends the
/// attempt, when nothing of it runs any more. Returns how many. Joins the caller's
/// transaction or makes one.
int64_t settle_calls_of_attempt(Sqlite &database, std::string_view run_id,
                                std::string_view phase_id, int64_t attempt,
                                const Clock &clock);

/// The same for all such calls of the run (empty: of all runs) but those of open
/// attempts, which may be executed on another machine. Writes nothing if there is none.
int64_t settle_left_calls(Sqlite &database, std::string_view run_id, const Clock &clock);

/// How many open reservations nobody will settle: those without a process of runs that
/// have ended, and calls whose process was killed. Those of gateways, which settle their
/// own, are not counted.
int64_t count_left_reservations(Sqlite &database);

/// Settles the first kind with nothing used, and returns how many.
int64_t release_left_reservations(Sqlite &database, const Clock &clock);

} // namespace ap
