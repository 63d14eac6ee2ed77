#pragma once

#include "domain/config.hh"
#include "domain/launcher.hh"
#include "domain/slurm.hh"
#include "domain/state.hh"
#include "sys/command_queue.hh"

namespace ap {

/// What squeue last said.
struct SlurmListing
{
    std::chrono::milliseconds asked_at{0}; ///< on the clock that never jumps
    std::vector<SlurmJob> jobs;

    /// The jobs of that name.
    std::vector<SlurmJob> of(std::string_view name) const;
};

/// Executes phases as batch jobs of Slurm, by way of its command line tools. A job
/// outlives this process: attach() finds it again. Attempts' directories, the suite's
/// programs and the phases' directories must be at the same paths on every node.
class SlurmLauncher final : public Launcher
{
public:
    /// All are kept by reference, `config` for the output limit.
    SlurmLauncher(const StatePaths &paths, PollLoop &loop, const Clock &clock,
                  const Config &config);

    void announce(Sqlite &database, const Lease &lease) override;
    std::unique_ptr<LaunchedPhase> start(Lease lease) override;
    std::unique_ptr<LaunchedPhase> attach(BatchJob job) override;

    using Command = std::shared_ptr<const CommandRun>;

    /// For the phases: submits a job; cancels or signals it.
    Command submit(const BatchJob &job);
    Command cancel(const BatchJob &job, std::string_view signal);

    /// Asks for a listing newer than `after`, unless it was asked for one lately, and
    /// tells the newest there is; null if none is newer.
    const SlurmListing *listing(std::chrono::milliseconds after);

    /// Looks after the commands under way.
    void check_time();

    const StatePaths &paths() const noexcept { return paths_; }
    const Clock &clock() const noexcept { return clock_; }
    std::string directory_of(const Lease &lease) const;

private:
    void take_listing();

    const StatePaths &paths_;
    const Clock &clock_;
    const Config &config_;
    CommandQueue commands_;
    Command asking_; ///< squeue under way
    std::chrono::milliseconds asked_at_{0};
    SlurmListing listing_;
};

} // namespace ap
