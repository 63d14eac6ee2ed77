#pragma once

#include "base/clock.hh"
#include "base/exit_status.hh"

#include <string>

namespace ap {

/// Executes, as a job of a batch system on whatever machine, the attempt that an executor
/// prepared in `directory` (job_files.hh), just as that executor would: the same keeper,
/// limits, captured output and checks. What is used goes to the attempt's usage spool,
/// how it ended to `job.json`. A SIGTERM ends it as a keeper does, a SIGINT at once.
///
/// Returns Done if the attempt succeeded, Failed if not; both are recorded. Throws
/// Error(TryAgain), having executed nothing, if the attempt is another job's or given up.
ExitStatus run_job(const std::string &directory, const Clock &clock);

} // namespace ap
