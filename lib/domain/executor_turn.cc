#include "domain/executor.hh"

#include "base/text.hh"
#include "domain/budget_refusal.hh"
#include "domain/capability.hh"

#include <algorithm>

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

using RunningPhases = std::vector<std::unique_ptr<RunningPhase>>;

RunningPhases take_ended(RunningPhases &running)
{
    RunningPhases ended;
    for (auto &phase : running) {
        if (phase->ended()) {
            ended.push_back(std::move(phase));
        }
    }
    std::erase(running, nullptr);
    return ended;
}

} // namespace

// One round: everything that has happened since the last is committed together with the
// leases that follow from it, and only then acted upon.
void Executor::turn()
{
    for (const auto &phase : running_) {
        phase->check_time();
        for (const std::string &complaint : phase->usage().take_complaints()) {
            say({.kind = "warning",
                 .phase_id = phase->lease().phase.id,
                 .message = complaint});
        }
    }
    start_waiting_checks();
    if (has_something_to_record() || may_lease()) {
        record_turn();
        check_budgets();
        start_leased();
        results_.write();
    }
}

bool Executor::has_something_to_record() const
{
    return std::any_of(running_.begin(), running_.end(), [](const auto &phase) {
        return phase->ended() || phase->usage().has_reports();
    });
}

bool Executor::may_lease() const
{
    return look_for_phases_ && !stopping_ && !aborting_ && !paused_ &&
           running_.size() < most_phases();
}

void Executor::record_turn()
{
    Transaction transaction(database_);
    results_.mark_synced();
    for (const auto &phase : running_) {
        record_usage_of(*phase);
    }
    for (const auto &phase : running_) {
        if (phase->ended()) {
            finish_phase_of(*phase);
            idle_slots_.push_back(phase->take_slot());
        }
    }
    const auto ended = take_ended(running_);
    lease_phases();
    transaction.commit();
    approvals_.notify();
    for (const auto &phase : running_) {
        phase->forget_usage();
    }
    for (const auto &phase : ended) {
        phase->forget_usage();
    }
    for (const ExecutorEvent &event : std::exchange(uncommitted_events_, {})) {
        say(event);
    }
}

void Executor::record_usage_of(RunningPhase &phase)
{
    const Lease &lease = phase.lease();
    const std::vector<PhaseUsage::Report> reports = phase.usage().take_reports();
    for (const PhaseUsage::Report &report : reports) {
        record_usage(database_,
                     {lease.run_id, lease.phase.id, lease.number, report.source, {}},
                     report.usage, clock_);
    }
    if (!reports.empty()) {
        mark_usage_read(database_, lease.attempt_id, phase.usage().taken_to());
    }
    if (!phase.ended() || phase.outcome().status == AttemptStatus::BudgetExhausted) {
        return;
    }
    // What a phase reports with its last breath counts as much as what it reported
    // before.
    const Budget budget = show_budget(database_, lease.run_id, lease.phase.id);
    if (budget.exceeded()) {
        end_over_budget(phase, budget);
    } else if (const auto refusal = budget_refusal(database_, lease.attempt_id)) {
        phase.fail(AttemptStatus::BudgetExhausted, refusal->reason);
    }
}

void Executor::finish_phase_of(RunningPhase &phase)
{
    std::uniform_real_distribution<double> spread(0.0, 1.0);
    const PhaseVerdict verdict = finish_attempt(database_, phase.lease(), phase.outcome(),
                                                spread(random_), clock_);
    breakers_.report(phase.lease(), phase.outcome());
    results_.add(phase.lease().attempt_id);
    look_for_phases_ = true;
    report_end(phase, verdict);
    const bool failed = verdict.status == "FAILED" && !aborting_;
    if (failed && options_.stop_on_first_failure) {
        failed_ = true;
        stopping_ = true;
    }
    failed_ = failed_ || (options_.once && verdict.status != "COMPLETE");
}

void Executor::report_end(const RunningPhase &phase, const PhaseVerdict &verdict)
{
    const Lease &lease = phase.lease();
    std::string message = phase.outcome().reason;
    if (verdict.retry_at) {
        const Milliseconds wait(std::max<int64_t>(0, *verdict.retry_at - clock_.now()));
        message += "; again in " + format_duration(wait);
    }
    uncommitted_events_.push_back(
        {.kind = verdict.status == "QUEUED" ? "phase.retry" : "phase.ended",
         .phase_id = lease.phase.id,
         .attempt = lease.number,
         .status = std::string(attempt_status_name(phase.outcome().status)),
         .message = message,
         .elapsed = Milliseconds(phase.outcome().duration_ms),
         .tokens = show_budget(database_, lease.run_id, lease.phase.id).tokens_used});
}

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
        running_.push_back(std::make_unique<RunningPhase>(
            std::move(lease), take_idle_slot(), state_.paths(), loop_, clock_,
            config_.output_limit));
    }
}

std::unique_ptr<PhaseSlot> Executor::take_idle_slot()
{
    if (idle_slots_.empty()) {
        return std::make_unique<PhaseSlot>();
    }
    std::unique_ptr<PhaseSlot> slot = std::move(idle_slots_.back());
    idle_slots_.pop_back();
    return slot;
}

void Executor::start_waiting_checks()
{
    for (const auto &phase : running_) {
        if (!phase->wants_checks()) {
            continue;
        }
        begin_checks(database_, phase->lease());
        say({.kind = "phase.checks",
             .phase_id = phase->lease().phase.id,
             .attempt = phase->lease().number});
        phase->start_checks();
    }
}

} // namespace ap
