#include "domain/executor.hh"

#include "base/text.hh"
#include "domain/budget.hh"
#include "domain/budget_refusal.hh"
#include "domain/plan.hh"

#include <algorithm>

namespace ap {

namespace {

std::string describe_budget(const Budget &budget)
{
    std::string text = std::to_string(budget.tokens_used) + " of " +
                       std::to_string(budget.token_cap) + " tokens";
    if (budget.cost_cap_microusd) {
        text += ", " + std::to_string(budget.cost_used_microusd) + " of " +
                std::to_string(*budget.cost_cap_microusd) + " micro-USD";
    }
    return text;
}

} // namespace

void Executor::on_signal()
{
    while (const auto signal = signals_->next()) {
        switch (*signal) {
        case SIGTERM:
        case SIGINT:
            if (stopping_) {
                submit_control(database_, options_.run_id, ControlVerb::Abort, {},
                               "signal", clock_);
                wake_executors(state_.paths(), options_.run_id);
                obey();
            } else {
                // A signal is for this executor; others that share the run go on.
                stopping_ = true;
                say({.kind = "note",
                     .message = "stopping when what executes has ended; once more to "
                                "abort the run"});
            }
            break;
        case SIGUSR1:
            observer_.status(status_text());
            break;
        case SIGHUP:
            // Comes also when the terminal goes, which a run outlives.
            reread_configuration();
            break;
        default:
            break; // SIGCHLD only wakes the loop
        }
    }
}

// How many phases this executor executes at once.
size_t Executor::most_phases() const
{
    return static_cast<size_t>(options_.jobs.value_or(config_.jobs));
}

void Executor::reread_configuration()
{
    try {
        config_ = load_config(state_.paths());
    } catch (const Error &error) {
        say({.kind = "warning",
             .message = "configuration kept as it was: " + std::string(error.what())});
        return;
    }
    say({.kind = "note", .message = "configuration read again"});
    database_.prepare("UPDATE executors SET jobs = ?2 WHERE executor_id = ?1")
        .bind_all(executor_id_, static_cast<int64_t>(most_phases()))
        .run();
    follow_default_cap();
    wake_executors(state_.paths(), options_.run_id);
    obey();
}

void Executor::on_control_fifo()
{
    const auto reject = [this](std::string_view line, std::string_view why) {
        say({.kind = "warning",
             .message = "control line '" + printable(line, 80) +
                        "' ignored: " + std::string(why)});
    };
    control_fifo_->read_lines(
        [&](std::string_view line) {
            try {
                submit_control_line(database_, options_.run_id, line, clock_);
            } catch (const Error &error) {
                if (error.status() == ExitStatus::InputOutput) {
                    throw;
                }
                reject(line, error.what());
            }
        },
        [&](std::string_view line) { reject(line, "longer than 64 KiB"); });
    // One executor of several has read the line; the others learn of it here.
    wake_executors(state_.paths(), options_.run_id);
    obey();
}

void Executor::obey()
{
    look_for_phases_ = true;
    const RunStanding standing = run_standing(database_, options_.run_id);
    if (standing.ended() && !aborting_) {
        // Ended by somebody else: nothing of it may go on.
        end_all(AttemptStatus::Aborted, "the run has ended (" + standing.status + ")",
                true);
        return;
    }
    if (std::exchange(paused_, standing.paused) != standing.paused) {
        say({.kind = "note", .message = standing.paused ? "paused" : "resumed"});
    }
    obey_timeouts();
    obey_run_requests();
    check_budgets();
}

void Executor::obey_timeouts()
{
    for (const Control &control : pending_controls(database_, options_.run_id)) {
        if (control.verb != ControlVerb::Timeout) {
            continue;
        }
        const auto phase =
            std::find_if(running_.begin(), running_.end(), [&](const auto &candidate) {
                return candidate->lease().phase.id == control.phase_id;
            });
        if (phase != running_.end()) {
            (*phase)->end(AttemptStatus::TimedOut, "timed out on request", false);
            apply_control(database_, control.control_id,
                          "attempt " + std::to_string((*phase)->lease().number) +
                              " of phase " + control.phase_id + " is ended",
                          clock_);
            continue;
        }
        Statement query = database_.prepare(
            "SELECT status FROM phases WHERE run_id = ?1 AND phase_id = ?2 "
            "AND status IN ('COMPLETE', 'FAILED', 'SKIPPED')");
        query.bind_all(options_.run_id, control.phase_id);
        if (query.step()) {
            apply_control(database_, control.control_id,
                          "phase " + control.phase_id + " had ended before (" +
                              std::string(query.text(0)) + ")",
                          clock_);
        }
    }
}

void Executor::obey_run_requests()
{
    const RunStanding standing = run_standing(database_, options_.run_id);
    if (standing.requested == "abort" && !killing_) {
        end_all(AttemptStatus::Aborted, "aborted on request", true);
        apply_run_request(ControlVerb::Abort, "aborting");
    } else if (standing.requested == "stop" && !stopping_) {
        stopping_ = true;
        say({.kind = "note", .message = "stopping when what executes has ended"});
        apply_run_request(ControlVerb::Stop, "stopping; " +
                                                 std::to_string(running_.size()) +
                                                 " phases to finish");
    }
}

void Executor::apply_run_request(ControlVerb verb, const std::string &outcome)
{
    for (const Control &control : pending_controls(database_, options_.run_id)) {
        if (control.verb == verb) {
            apply_control(database_, control.control_id, outcome, clock_);
        }
    }
}

void Executor::check_budgets()
{
    const std::string &run_id = options_.run_id;
    if (aborting_) {
        return;
    }
    const Budget run_budget = show_budget(database_, run_id, "");
    bool near = run_budget.near_cap() && !run_budget.warned;
    if (run_budget.exceeded()) {
        end_all(AttemptStatus::BudgetExhausted,
                "run budget exhausted: " + describe_budget(run_budget), true);
        return;
    }
    // The gateway forwards nothing more, so the phases may take their grace.
    if (const auto refusal = run_budget_refusal(database_, run_id)) {
        end_all(AttemptStatus::BudgetExhausted, refusal->reason, false);
        return;
    }
    for (const auto &phase : running_) {
        const Budget budget = show_budget(database_, run_id, phase->lease().phase.id);
        near = near || (budget.near_cap() && !budget.warned);
        if (budget.exceeded()) {
            end_over_budget(*phase, budget);
        } else if (const auto refusal =
                       budget_refusal(database_, phase->lease().attempt_id)) {
            phase->end(AttemptStatus::BudgetExhausted, refusal->reason, false);
        }
        if (near) {
            warn_near_cap(phase->lease().phase.id);
        }
    }
}

void Executor::warn_near_cap(const std::string &phase_id)
{
    for (const Budget &budget :
         take_warnings(database_, options_.run_id, phase_id, clock_)) {
        say({.kind = "warning",
             .phase_id = budget.phase_id,
             .message = std::string(budget.phase_id.empty() ? "the run" : "the phase") +
                        " has used 80 % of its budget: " + describe_budget(budget),
             .tokens = budget.tokens_used});
    }
}

void Executor::end_over_budget(LaunchedPhase &phase, const Budget &budget)
{
    const std::string reason = "phase budget exhausted: " + describe_budget(budget);
    if (phase.ended()) {
        phase.fail(AttemptStatus::BudgetExhausted, reason);
    } else {
        phase.end(AttemptStatus::BudgetExhausted, reason, false);
    }
}

void Executor::end_all(AttemptStatus status, const std::string &reason, bool at_once)
{
    if (!std::exchange(aborting_, true)) {
        abort_reason_ = reason;
    }
    killing_ = at_once;
    say({.kind = "note", .message = reason});
    for (const auto &phase : running_) {
        phase->end(status, reason, at_once);
    }
}

std::string Executor::status_text() const
{
    const Budget budget = show_budget(database_, options_.run_id, "");
    std::string text = "run " + options_.run_id + ": " + describe_budget(budget) + "; " +
                       std::to_string(running_.size()) + " executing";
    for (const auto &phase : running_) {
        text += "; phase " + phase->lease().phase.id + " attempt " +
                std::to_string(phase->lease().number) + " for " +
                format_duration(phase->elapsed());
    }
    return text + (stopping_ ? "; stopping" : "") + (paused_ ? "; paused" : "");
}

} // namespace ap
