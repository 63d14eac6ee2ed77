#pragma once

#include "base/clock.hh"
#include "wrap/sqlite.hh"

#include <optional>
#include <string>
#include <string_view>

namespace ap {

/// Whose cap a refused call did not fit under.
enum class BudgetScope { Phase, Run, Day };

std::string_view budget_scope_name(BudgetScope scope);

/// A call that the gateway refused because too little of a budget is left. A budget that
/// cannot be overspent is never exceeded: this is how its end shows.
struct BudgetRefusal
{
    BudgetScope scope = BudgetScope::Phase;
    std::string reason; ///< one line for people, with the figures
};

/// Records that a call of an open attempt was refused; the first refusal of an attempt
/// counts, later ones change nothing. Its executor ends the attempt as budget-exhausted
/// within a second or so, and with it the run unless the scope is the phase. Joins the
/// caller's transaction or makes one.
void note_budget_refusal(Sqlite &database, int64_t attempt_id,
                         const BudgetRefusal &refusal, const Clock &clock);

/// The refusal recorded for an attempt, if any. One key look-up.
std::optional<BudgetRefusal> budget_refusal(Sqlite &database, int64_t attempt_id);

/// A refusal recorded for any attempt of the run that ends the run, if any. One key
/// look-up.
std::optional<BudgetRefusal> run_budget_refusal(Sqlite &database,
                                                std::string_view run_id);

/// Forgets all refusals of a run, which is to be tried again.
void forget_budget_refusals(Sqlite &database, std::string_view run_id);

} // namespace ap
