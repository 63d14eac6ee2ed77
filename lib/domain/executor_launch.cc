#include "domain/executor.hh"

#include "domain/capability.hh"
#include "domain/local_launcher.hh"
#include "domain/slurm_launcher.hh"

namespace ap {

namespace {

void give_gateway(Lease &lease, State &state, const Clock &clock)
{
    if (lease.phase.gateway == GatewayUse::None) {
        return;
    }
    if ((lease.gate = find_gate(state.paths()))) {
        lease.gate->key = issue_capability(state.database(), lease.attempt_id, clock);
    }
}

} // namespace

void Executor::lease_phases()
{
    while (may_lease() && running_.size() + leased_.size() < most_phases()) {
        if (options_.once && attempts_started_ > 0) {
            stopping_ = true;
            return;
        }
        std::optional<Lease> lease =
            lease_next_phase(database_, options_.run_id, executor_id_, clock_);
        if (!lease) {
            look_for_phases_ = false;
            return;
        }
        if (!is_approved(*lease)) {
            continue;
        }
        if (const auto wait = breakers_.wait_before(*lease)) {
            return_lease(database_, *lease, clock_.now() + wait->count(),
                         "breaker " + lease->phase.breaker + " is open", clock_);
            continue;
        }
        attempts_started_++;
        give_gateway(*lease, state_, clock_);
        launcher_of(lease->phase).announce(database_, *lease);
        leased_.push_back(std::move(*lease));
    }
}

// A lease that is not approved is given back; nobody holds it while people think.
bool Executor::is_approved(const Lease &lease)
{
    using Kind = PhaseApprovals::Answer::Kind;
    const PhaseApprovals::Answer answer = approvals_.ask(lease);
    if (answer.kind == Kind::Start) {
        return true;
    }
    return_lease(database_, lease, answer.until, answer.reason, clock_);
    uncommitted_events_.push_back(
        {.kind = answer.kind == Kind::Wait ? "note" : "phase.ended",
         .phase_id = lease.phase.id,
         .status = answer.kind == Kind::Wait ? "" : "FAILED",
         .message = answer.reason});
    if (answer.kind == Kind::Refuse) {
        end_phase(database_, lease.run_id, lease.phase.id, "FAILED", answer.reason,
                  clock_);
        stopping_ = stopping_ || options_.stop_on_first_failure;
        failed_ = failed_ || options_.stop_on_first_failure || options_.once;
    }
    return false;
}

void Executor::start_leased()
{
    for (Lease &lease : std::exchange(leased_, {})) {
        say({.kind = "phase.started",
             .phase_id = lease.phase.id,
             .attempt = lease.number});
        Launcher &launcher = launcher_of(lease.phase);
        running_.push_back(launcher.start(std::move(lease)));
    }
}

Launcher &Executor::launcher_of(const PhaseSpec &phase)
{
    return launcher(
        phase.launcher.value_or(options_.launcher.value_or(config_.launcher)));
}

Launcher &Executor::launcher(LauncherKind kind)
{
    std::unique_ptr<Launcher> &launcher = launchers_[kind];
    if (!launcher && kind == LauncherKind::Local) {
        launcher =
            std::make_unique<LocalLauncher>(state_.paths(), loop_, clock_, config_);
    } else if (!launcher) {
        launcher =
            std::make_unique<SlurmLauncher>(state_.paths(), loop_, clock_, config_);
    }
    return *launcher;
}

// Takes up what a batch system executes for executors that are dead.
void Executor::adopt_jobs()
{
    for (BatchJob &job : adopt_batch_jobs(database_, options_.run_id, executor_id_)) {
        say({.kind = "note",
             .phase_id = job.lease.phase.id,
             .message = "attempt " + std::to_string(job.lease.number) +
                        " of a dead executor is taken up"});
        running_.push_back(launcher(LauncherKind::Slurm).attach(std::move(job)));
    }
}

void Executor::tell_about(LaunchedPhase &phase)
{
    const std::string &phase_id = phase.lease().phase.id;
    for (const std::string &note : phase.take_notes()) {
        say({.kind = "note", .phase_id = phase_id, .message = note});
    }
    for (const std::string &complaint : phase.usage().take_complaints()) {
        say({.kind = "warning", .phase_id = phase_id, .message = complaint});
    }
}

} // namespace ap
