#include "domain/local_launcher.hh"

#include "domain/running_phase.hh"

namespace ap {

std::unique_ptr<LaunchedPhase> LocalLauncher::start(Lease lease)
{
    return std::make_unique<RunningPhase>(std::move(lease), slots_, paths_, loop_, clock_,
                                          config_.output_limit);
}

std::unique_ptr<LaunchedPhase> LocalLauncher::attach(BatchJob job)
{
    throw Error(ExitStatus::Bug, "phase " + job.lease.phase.id +
                                     " was executed by a process that is dead");
}

} // namespace ap
