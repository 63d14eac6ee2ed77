#pragma once

#include "domain/state.hh"

#include <string_view>
#include <vector>

namespace ap {

/// Writes `result.json` of an ended attempt into its directory from what the database
/// says.
void write_attempt_result(State &state, int64_t attempt_id);

/// Ended attempts of the run whose result.json may not have been written (a crash between
/// the commit and the file).
std::vector<int64_t> attempts_without_result(Sqlite &database, std::string_view run_id);

/// Records that the attempt's result.json is on the disk.
void mark_result_written(Sqlite &database, int64_t attempt_id);

} // namespace ap
