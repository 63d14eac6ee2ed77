#include "domain/budget_refusal.hh"

#include <algorithm>

namespace ap {

namespace {

struct ScopeName
{
    BudgetScope scope;
    std::string_view name;
};

constexpr ScopeName scope_names[] = {
    {BudgetScope::Phase, "phase"}, {BudgetScope::Run, "run"}, {BudgetScope::Day, "day"}};

BudgetScope scope_of(std::string_view name)
{
    const auto *found = std::find_if(std::begin(scope_names), std::end(scope_names),
                                     [&](const auto &row) { return row.name == name; });
    if (found == std::end(scope_names)) {
        throw Error(ExitStatus::BadData, "unknown scope of a budget");
    }
    return found->scope;
}

std::optional<BudgetRefusal> first_refusal(Statement &query)
{
    if (!query.step()) {
        return std::nullopt;
    }
    return BudgetRefusal{scope_of(query.text(0)), std::string(query.text(1))};
}

} // namespace

std::string_view budget_scope_name(BudgetScope scope)
{
    return scope_names[static_cast<size_t>(scope)].name;
}

void note_budget_refusal(Sqlite &database, int64_t attempt_id,
                         const BudgetRefusal &refusal, const Clock &clock)
{
    database
        .prepare("INSERT INTO budget_refusals (attempt_id, run_id, scope, reason, "
                 "created_at) SELECT attempt_id, run_id, ?2, ?3, ?4 FROM attempts "
                 "WHERE attempt_id = ?1 AND ended_at IS NULL "
                 "ON CONFLICT (attempt_id) DO NOTHING")
        .bind_all(attempt_id, budget_scope_name(refusal.scope), refusal.reason,
                  clock.now())
        .run();
}

std::optional<BudgetRefusal> budget_refusal(Sqlite &database, int64_t attempt_id)
{
    Statement query = database.prepare(
        "SELECT scope, reason FROM budget_refusals WHERE attempt_id = ?1");
    query.bind_all(attempt_id);
    return first_refusal(query);
}

std::optional<BudgetRefusal> run_budget_refusal(Sqlite &database, std::string_view run_id)
{
    Statement query =
        database.prepare("SELECT scope, reason FROM budget_refusals "
                         "WHERE run_id = ?1 AND scope IN ('run', 'day') LIMIT 1");
    query.bind_all(run_id);
    return first_refusal(query);
}

void forget_budget_refusals(Sqlite &database, std::string_view run_id)
{
    database.prepare("DELETE FROM budget_refusals WHERE run_id = ?1")
        .bind_all(run_id)
        .run();
}

} // namespace ap
