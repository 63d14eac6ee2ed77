#include "domain/budget_report.hh"

#include "domain/control.hh"
#include "domain/lease.hh"

#include <optional>
#include <thread>
#include <tuple>

namespace ap {

namespace {

auto totals(const Budget &budget)
{
    return std::tuple(budget.token_cap, budget.tokens_used, budget.tokens_reserved,
                      budget.cost_cap_microusd, budget.cost_used_microusd,
                      budget.cost_reserved_microusd);
}

} // namespace

bool report_usage(State &state, const std::string &run_id, const std::string &phase_id,
                  std::span<const Usage> records, const Clock &clock)
{
    Sqlite &database = state.database();
    Transaction transaction(database);
    for (const Usage &usage : records) {
        record_usage(database, {run_id, phase_id, std::nullopt, "report", std::nullopt},
                     usage, clock);
    }
    const bool exceeded = show_budget(database, run_id, "").exceeded() ||
                          show_budget(database, run_id, phase_id).exceeded();
    transaction.commit();
    wake_executors(state.paths(), run_id);
    return exceeded;
}

Budget watch_budget(Sqlite &database, const std::string &run_id,
                    std::chrono::milliseconds interval,
                    const std::function<void(const Budget &)> &changed)
{
    std::optional<Budget> before;
    while (true) {
        // Asked first, so that what was used up to the end is in the budget.
        const bool ended = run_standing(database, run_id).ended();
        Budget budget = show_budget(database, run_id, "");
        if (!before || totals(*before) != totals(budget)) {
            changed(budget);
        }
        if (ended) {
            return budget;
        }
        before = std::move(budget);
        std::this_thread::sleep_for(interval);
    }
}

} // namespace ap
