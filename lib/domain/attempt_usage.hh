#pragma once

#include "domain/lease.hh"
#include "domain/state.hh"

#include <string>

namespace ap {

/// Where an attempt's usage reports go until they are recorded.
struct UsageFiles
{
    std::string fifo;  ///< AUTOPACK_USAGE_FIFO
    std::string spool; ///< what was written to it
};

/// The files of the attempt whose directory is `directory`.
UsageFiles usage_files(const std::string &directory);

/// Records that the reports in the first `bytes` of the attempt's spool are recorded.
/// Call in the transaction that records them.
void mark_usage_read(Sqlite &database, int64_t attempt_id, int64_t bytes);

/// Moves what a dead executor left in the attempt's FIFO to its spool; nothing of the
/// attempt may run any more.
void save_left_usage(const StatePaths &paths, const Lease &lease);

/// Records what is in the attempt's spool beyond what was recorded, each report once,
/// however often this is called. Lines that are no usage become a usage.rejected event.
/// Call in the transaction that ends the attempt.
void record_left_usage(State &state, const Lease &lease, const Clock &clock);

/// Removes both files. Call when what was in them is committed.
void remove_usage_files(const StatePaths &paths, const Lease &lease);

} // namespace ap
