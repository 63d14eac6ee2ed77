#pragma once

#include "domain/lease.hh"
#include "domain/state.hh"

#include <optional>
#include <string>
#include <vector>

namespace ap {

/// The files in an attempt's directory through which an executor and a batch job deal
/// with each other. The directory must be the same on both machines.

/// What a job is to execute. It holds the gateway's key and the executor's environment,
/// so its file is `job.secret`, readable by its owner only, and removed as soon as the
/// job has begun; backups leave it out by its name.
struct JobOrder
{
    Lease lease;
    StatePaths paths;
    int64_t output_limit = 0;             ///< bytes kept of each output file
    std::vector<std::string> environment; ///< of the executor, "NAME=value"
    std::string boot_id;                  ///< of the executor's machine
};

/// How far a job has got: `job.json`. Whoever makes the file decides what becomes of the
/// attempt: the job, then no other executes it; or an executor that gives it up, then no
/// job ever does.
struct JobState
{
    enum class Stage { GivenUp, Running, Checking, Ended };

    Stage stage = Stage::Running;
    std::string job_id;
    std::string node;
    AttemptOutcome outcome; ///< of one that has ended
};

/// Writes `job.secret`, synced.
void write_job_order(const JobOrder &order);

/// Reads `job.secret` in `directory`. Throws Error(NoInput) if there is none, and
/// Error(BadData) if it is not what write_job_order() wrote.
JobOrder read_job_order(const std::string &directory);

/// Removes `job.secret`; nothing there is no error.
void remove_job_order(const std::string &directory);

/// Makes `job.json`; false if there is one already, by whomever.
bool claim_job(const std::string &directory, const JobState &state);

/// Replaces `job.json`, synced. Only for who has made it.
void write_job_state(const std::string &directory, const JobState &state);

/// What `job.json` says; nothing if there is none. Throws Error(BadData) for what
/// write_job_state() did not write.
std::optional<JobState> read_job_state(const std::string &directory);

/// Removes `job.json` of an attempt that was never started (of a deleted run of the same
/// name).
void forget_job_state(const std::string &directory);

} // namespace ap
