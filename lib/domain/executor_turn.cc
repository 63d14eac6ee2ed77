#include "domain/executor.hh"

#include "base/text.hh"
#include "domain/attempt_usage.hh"
#include "domain/budget_refusal.hh"
#include "domain/left_reservations.hh"

#include <algorithm>

namespace ap {

namespace {

using LaunchedPhases = std::vector<std::unique_ptr<LaunchedPhase>>;

LaunchedPhases take_ended(LaunchedPhases &running)
{
    LaunchedPhases ended;
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
        tell_about(*phase);
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
        return phase->ended() || phase->usage().has_reports() ||
               phase->has_something_to_record();
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
        phase->record(database_);
        record_usage_of(*phase);
    }
    for (const auto &phase : running_) {
        if (phase->ended()) {
            finish_phase_of(*phase);
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

void Executor::record_usage_of(LaunchedPhase &phase)
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
    if (!phase.ended()) {
        return;
    }
    settle_calls_of_attempt(database_, lease.run_id, lease.phase.id, lease.number,
                            clock_);
    if (phase.outcome().status == AttemptStatus::BudgetExhausted) {
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

void Executor::finish_phase_of(LaunchedPhase &phase)
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

void Executor::report_end(const LaunchedPhase &phase, const PhaseVerdict &verdict)
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
