#pragma once

#include "base/clock.hh"
#include "wrap/sqlite.hh"

#include <string_view>

namespace ap {

/// Records that the run has ended in the build history, and in the debug log, too, if it
/// failed: which phases, and why. Does nothing for a run that has not ended, or whose end
/// is recorded already, so that of many executors one does it. Joins the caller's
/// transaction or makes one; settle_ledger() then writes the files.
void record_run_end(Sqlite &database, std::string_view run_id, const Clock &clock);

} // namespace ap
