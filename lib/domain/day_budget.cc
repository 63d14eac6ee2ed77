#include "domain/day_budget.hh"

#include "domain/budget.hh"
#include "domain/state.hh"

#include <algorithm>

namespace ap {

namespace {

int64_t left_of(const std::optional<int64_t> &cap, int64_t used, int64_t reserved)
{
    if (!cap) {
        return largest_amount;
    }
    const int64_t unused = std::max<int64_t>(0, *cap - used);
    return std::max<int64_t>(0, unused - reserved);
}

std::optional<int64_t> changed(const std::optional<int64_t> &change,
                               const std::optional<int64_t> &now)
{
    if (!change) {
        return now;
    }
    return *change < 0 ? std::nullopt : change;
}

} // namespace

int64_t DayBudget::tokens_left() const noexcept
{
    return left_of(token_cap, tokens_used, tokens_reserved);
}

int64_t DayBudget::cost_left() const noexcept
{
    return left_of(cost_cap_microusd, cost_used_microusd, cost_reserved_microusd);
}

std::string day_of(UnixMs at)
{
    return format_rfc3339(at).substr(0, 10);
}

DayBudget show_day_budget(Sqlite &database, std::string_view day)
{
    DayBudget budget;
    budget.day = day;
    Statement caps =
        database.prepare("SELECT token_cap, cost_cap_microusd FROM day_caps");
    if (caps.step()) {
        budget.token_cap = caps.optional_integer(0);
        budget.cost_cap_microusd = caps.optional_integer(1);
    }
    Statement used = database.prepare(
        "SELECT tokens_used, cost_used_microusd FROM day_usage WHERE day = ?1");
    used.bind_all(day);
    if (used.step()) {
        budget.tokens_used = used.integer(0);
        budget.cost_used_microusd = used.integer(1);
    }
    Statement reserved = database.prepare(
        "SELECT coalesce(sum(tokens), 0), coalesce(sum(cost_microusd), 0) "
        "FROM budget_reservations INDEXED BY budget_reservations_open "
        "WHERE status = 'OPEN'");
    if (reserved.step()) {
        budget.tokens_reserved = reserved.integer(0);
        budget.cost_reserved_microusd = reserved.integer(1);
    }
    return budget;
}

void set_day_caps(Sqlite &database, const DayCapChange &change)
{
    in_transaction(database, [&] {
        const DayBudget now = show_day_budget(database, "");
        const auto tokens = changed(change.token_cap, now.token_cap);
        const auto cost = changed(change.cost_cap_microusd, now.cost_cap_microusd);
        database.prepare("UPDATE day_caps SET token_cap = ?1, cost_cap_microusd = ?2")
            .bind_all(tokens, cost)
            .run();
        Json detail = Json::object();
        detail.set("scope", "day")
            .set("token_cap", tokens)
            .set("cost_cap_microusd", cost);
        append_event(database, "budget.set", {}, {}, 0, detail.dump());
    });
}

Json day_budget_to_json(const DayBudget &budget)
{
    const auto if_capped = [](bool capped, int64_t left) {
        return capped ? std::optional(left) : std::nullopt;
    };
    Json json = Json::object();
    json.set("day", budget.day)
        .set("token_cap", budget.token_cap)
        .set("tokens_used", budget.tokens_used)
        .set("tokens_reserved", budget.tokens_reserved)
        .set("tokens_left", if_capped(budget.token_cap.has_value(), budget.tokens_left()))
        .set("cost_cap_microusd", budget.cost_cap_microusd)
        .set("cost_used_microusd", budget.cost_used_microusd)
        .set("cost_reserved_microusd", budget.cost_reserved_microusd);
    return json;
}

} // namespace ap
