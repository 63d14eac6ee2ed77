#pragma once

#include "domain/batch_job.hh"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// Slurm's command line tools as slurm-wlm 22.05 and later have them: what they are
/// called with, and what their answers mean. Formats are fixed ones, since --json needs
/// plugins that Debian's packages lack.

/// What Slurm says of a job.
struct SlurmJob
{
    std::string id;
    std::string state; ///< "PENDING", "NODE_FAIL" and so on
    std::string name;
    std::string reason; ///< why it waits or has ended; "None" without
};

/// The environment of the tools, which sbatch passes on to the job: what they need to
/// find Slurm, and nothing of what this process's environment may hold in secrets.
std::vector<std::string> slurm_environment();

/// The call of sbatch that submits an attempt: one task of `ap-job` in
/// `program_directory` with the attempt's directory, never requeued by Slurm, with a time
/// limit a little beyond the phase's. What it prints of itself goes to job.log there.
std::vector<std::string> sbatch_call(const BatchJob &job, const std::string &directory,
                                     std::string_view program_directory);

/// The job's id from what sbatch --parsable printed; nothing if it printed none.
std::optional<std::string> submitted_job(std::string_view output);

/// Whether what sbatch complained of may be over the next time: the controller could not
/// be reached.
bool is_unreachable(std::string_view complaint);

/// The call of squeue that lists this user's jobs, those that ended lately too.
std::vector<std::string> squeue_call();

/// What it printed, as far as it is about jobs of this suite.
std::vector<SlurmJob> read_squeue(std::string_view output);

/// The call of scancel that sends `signal` ("TERM") to the job's own process, or without
/// one ends the job and all its processes. `job_id` may be missing: then by name.
std::vector<std::string> scancel_call(const BatchJob &job, std::string_view signal);

/// Whether a job in that state will not execute any more.
bool is_over(const SlurmJob &job);

/// What an attempt came to whose job has ended without saying so itself.
struct SlurmVerdict
{
    AttemptStatus status;
    std::string reason;
};
SlurmVerdict verdict_of(const SlurmJob &job);

} // namespace ap
