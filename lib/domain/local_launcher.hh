#pragma once

#include "domain/config.hh"
#include "domain/launcher.hh"
#include "domain/phase_slot.hh"
#include "domain/state.hh"
#include "sys/poll_loop.hh"

namespace ap {

/// Executes phases on this machine, each under a keeper of this process (RunningPhase).
/// They end with this process, so there is nothing to announce and nothing to attach to.
class LocalLauncher final : public Launcher
{
public:
    /// All are kept by reference; of `config` the output limit at each start counts.
    LocalLauncher(const StatePaths &paths, PollLoop &loop, const Clock &clock,
                  const Config &config)
        : paths_(paths)
        , loop_(loop)
        , clock_(clock)
        , config_(config)
    {
    }

    void announce(Sqlite &, const Lease &) override {}
    std::unique_ptr<LaunchedPhase> start(Lease lease) override;
    std::unique_ptr<LaunchedPhase> attach(BatchJob job) override;

private:
    const StatePaths &paths_;
    PollLoop &loop_;
    const Clock &clock_;
    const Config &config_;
    PhaseSlots slots_;
};

} // namespace ap
