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

/// The same of one executor's attempts.
std::vector<int64_t> attempts_without_result(Sqlite &database, int64_t executor_id);

/// Records that the attempt's result.json is on the disk.
void mark_result_written(Sqlite &database, int64_t attempt_id);

/// The result files that an executor owes. One sync serves many of them: an attempt whose
/// file is not known to be on the disk stays pending in the database, and a later
/// executor writes the file again.
class PendingResults
{
public:
    explicit PendingResults(State &state)
        : state_(state)
    {
    }

    /// An ended attempt: its file is due once that is committed.
    void add(int64_t attempt_id) { to_write_.push_back(attempt_id); }

    /// Takes over what earlier executors of the run did not get to.
    void add_left_behind(std::string_view run_id);

    /// Writes the files that are due.
    void write();

    /// Brings the written files to the disk.
    void sync();

    /// Records those that are on the disk. Call inside a transaction.
    void mark_synced();

private:
    State &state_;
    std::vector<int64_t> to_write_;
    std::vector<int64_t> written_;
    std::vector<int64_t> synced_;
};

} // namespace ap
