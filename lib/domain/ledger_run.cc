#include "domain/ledger_run.hh"

#include "base/text.hh"
#include "domain/budget.hh"
#include "domain/ledger_chain.hh"
#include "domain/run.hh"

#include <algorithm>

namespace ap {

namespace {

// More are counted only: ap-run show lists them all.
constexpr int64_t most_phases_named = 20;

std::string of_run(const RunSummary &run)
{
    std::string text =
        run.goal.empty() ? "" : "Goal: " + printable(run.goal, 500) + "\n\n";
    text += "- " + std::to_string(run.phases_complete) + " of " +
            std::to_string(run.phases) + " phases complete, " +
            std::to_string(run.phases_failed) + " failed\n- " +
            format_count(run.tokens_used) + " of " + format_count(run.token_cap) +
            " tokens, " + format_usd(run.cost_microusd) + "\n";
    if (run.started_at && run.ended_at) {
        text += "- took " +
                format_duration(std::chrono::milliseconds(
                    std::max<int64_t>(0, *run.ended_at - *run.started_at))) +
                ", began " + format_rfc3339(*run.started_at) + "\n";
    }
    return run.reason ? text + "- " + printable(*run.reason, 500) + "\n" : text;
}

std::string of_failed_phases(Sqlite &database, const RunSummary &run)
{
    std::string text;
    for (const PhaseSummary &phase :
         list_failed_phases(database, run.run_id, most_phases_named)) {
        text += "- phase " + phase.phase_id + " failed after " +
                std::to_string(phase.attempts) +
                (phase.attempts == 1 ? " attempt" : " attempts") +
                (phase.reason ? ": " + printable(*phase.reason, 500) : "") + "\n";
    }
    if (run.phases_failed > most_phases_named) {
        text +=
            "- and " + std::to_string(run.phases_failed - most_phases_named) + " more\n";
    }
    if (run.reason) {
        text += "- " + printable(*run.reason, 500) + "\n";
    }
    return text + "\nOutput: .autonomous_runs/" + run.run_id +
           "/phases/PHASE/attempt-N/; 'ap-run show " + run.run_id + "' tells more.";
}

} // namespace

void record_run_end(Sqlite &database, std::string_view run_id, const Clock &clock)
{
    in_transaction(database, [&] {
        const RunSummary run = show_run(database, run_id);
        const LedgerDocument &history = ledger_document("build");
        if (!run.status.starts_with("DONE") || !run.ended_at ||
            has_entry_since(database, history, run_id, *run.ended_at)) {
            return;
        }
        LedgerEntry entry;
        entry.at = std::max(*run.ended_at, clock.now());
        entry.run = run.run_id;
        entry.title = "Run " + run.run_id + ": " + run.status;
        entry.body = quoted_body(of_run(run));
        record_entry(database, history, entry);
        if (run.status != "DONE_SUCCESS") {
            entry.body = quoted_body(of_failed_phases(database, run));
            record_entry(database, ledger_document("debug"), entry);
        }
    });
}

} // namespace ap
