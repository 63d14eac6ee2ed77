#pragma once

#include "domain/lease.hh"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// An attempt that a batch system executes: it outlives its executor, and the next one
/// takes it up.
struct BatchJob
{
    Lease lease;
    std::string name;                  ///< of the job, one of its own for each attempt
    std::optional<std::string> job_id; ///< none: not known to have been submitted
    int64_t usage_read = 0;            ///< how much of the usage spool is recorded
};

/// The name of an attempt's job: "autopack:RUN/PHASE/NUMBER/" and 16 digits of the lease,
/// which alone make it unique; long ids are cut, so that it has 255 bytes at most, what
/// an accounting database takes.
std::string batch_job_name(const Lease &lease);

/// Records that a job of that name is about to be submitted for the attempt. Call in the
/// transaction that leases the phase: whatever comes of the submission, the next executor
/// looks for it.
void announce_batch_job(Sqlite &database, const Lease &lease);

/// Records the job's id, with an event.
void record_batch_job(Sqlite &database, const Lease &lease, std::string_view job_id);

/// Makes the open attempts of the run that have jobs and whose executors are known for
/// dead this executor's. No two executors get the same one. Makes a transaction.
std::vector<BatchJob> adopt_batch_jobs(Sqlite &database, std::string_view run_id,
                                       int64_t executor_id);

/// Whether a batch system may still execute an attempt of the run.
bool has_open_batch_jobs(Sqlite &database, std::string_view run_id);

} // namespace ap
