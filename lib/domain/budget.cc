#include "domain/budget.hh"

#include "domain/state.hh"

#include <algorithm>
#include <cmath>
#include <unistd.h>

namespace ap {

namespace {

constexpr std::string_view budget_columns =
    "SELECT run_id, phase_id, token_cap, tokens_used, tokens_reserved, "
    "cost_cap_microusd, "
    "cost_used_microusd, cost_reserved_microusd, warned_at IS NOT NULL FROM budgets ";

Budget budget_of_row(const Statement &row)
{
    Budget budget;
    budget.run_id = row.text(0);
    budget.phase_id = row.text(1);
    budget.token_cap = row.integer(2);
    budget.tokens_used = row.integer(3);
    budget.tokens_reserved = row.integer(4);
    budget.cost_cap_microusd = row.optional_integer(5);
    budget.cost_used_microusd = row.integer(6);
    budget.cost_reserved_microusd = row.integer(7);
    budget.warned = row.integer(8) != 0;
    return budget;
}

std::string name_of(std::string_view run_id, std::string_view phase_id)
{
    return phase_id.empty() ? "run '" + std::string(run_id) + "'"
                            : "phase '" + std::string(phase_id) + "' of run '" +
                                  std::string(run_id) + "'";
}

int64_t amount(const Json &record, const std::vector<std::string_view> &names)
{
    for (const std::string_view name : names) {
        const Json value = record.get(name);
        if (!value || value.is_null()) {
            continue;
        }
        if (!value.is_integer() || value.as_integer() < 0 ||
            value.as_integer() > largest_amount) {
            throw Error(ExitStatus::BadData,
                        std::string(name) + ": expected a whole number from 0 to " +
                            std::to_string(largest_amount) + ", got " + value.dump());
        }
        return value.as_integer();
    }
    return 0;
}

std::string text_member(const Json &record, std::string_view name)
{
    const Json value = record.get(name);
    if (!value || value.is_null()) {
        return {};
    }
    if (!value.is_string()) {
        throw Error(ExitStatus::BadData, std::string(name) + ": expected a string, got " +
                                             std::string(value.type_name()));
    }
    return value.as_string();
}

int64_t cost_member(const Json &record)
{
    const Json dollars = record.get("cost_usd");
    if (!dollars || dollars.is_null()) {
        return amount(record, {"cost_microusd"});
    }
    const double value = dollars.is_number() ? dollars.as_number() : -1;
    if (!(value >= 0 && value * 1e6 <= static_cast<double>(largest_amount))) {
        throw Error(ExitStatus::BadData,
                    "cost_usd: expected a number from 0 to 1000000, got " +
                        dollars.dump());
    }
    return std::llround(value * 1e6);
}

void require_room(const Budget &budget, const ReservationRequest &request)
{
    if (request.tokens > budget.tokens_left()) {
        throw Error(ExitStatus::BudgetExhausted,
                    name_of(budget.run_id, budget.phase_id) + " has " +
                        std::to_string(budget.tokens_left()) + " of " +
                        std::to_string(budget.token_cap) + " tokens left, " +
                        std::to_string(request.tokens) + " asked for");
    }
    if (budget.cost_cap_microusd &&
        request.cost_microusd > *budget.cost_cap_microusd - budget.cost_used_microusd -
                                    budget.cost_reserved_microusd) {
        throw Error(ExitStatus::BudgetExhausted,
                    name_of(budget.run_id, budget.phase_id) +
                        " has not the money left: " +
                        std::to_string(request.cost_microusd) + " micro-USD asked for");
    }
}

void insert_usage(Sqlite &database, const UsageOrigin &origin, const Usage &usage,
                  const Clock &clock)
{
    database
        .prepare(
            "INSERT OR IGNORE INTO llm_usage_events (run_id, phase_id, phase_name, "
            "attempt, provider, model, prompt_tokens, completion_tokens, cached_tokens, "
            "cache_write_tokens, reasoning_tokens, cost_microusd, duration_ms, source, "
            "estimated, reservation_id, request_id, created_at) VALUES (?1, ?2, "
            "coalesce((SELECT phase_name FROM phases WHERE run_id = ?1 AND phase_id = "
            "?2), "
            "''), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)")
        .bind_all(origin.run_id, origin.phase_id, origin.attempt, usage.provider,
                  usage.model, usage.prompt_tokens, usage.completion_tokens,
                  usage.cached_tokens, usage.cache_write_tokens, usage.reasoning_tokens,
                  usage.cost_microusd, usage.duration_ms, origin.source,
                  int{usage.estimated}, origin.reservation_id, usage.request_id,
                  clock.now())
        .run();
}

bool near(int64_t used, int64_t cap)
{
    constexpr double warning_share = 0.8;
    return static_cast<double>(used) >= warning_share * static_cast<double>(cap);
}

} // namespace

bool Budget::exceeded() const noexcept
{
    return tokens_used > token_cap ||
           (cost_cap_microusd && cost_used_microusd > *cost_cap_microusd);
}

bool Budget::near_cap() const noexcept
{
    return (tokens_used > 0 && near(tokens_used, token_cap)) ||
           (cost_cap_microusd && cost_used_microusd > 0 &&
            near(cost_used_microusd, *cost_cap_microusd));
}

int64_t Budget::tokens_left() const noexcept
{
    return std::max<int64_t>(0, token_cap - tokens_used - tokens_reserved);
}

Usage usage_from_json(const Json &record)
{
    if (!record.is_object()) {
        throw Error(ExitStatus::BadData,
                    "expected an object, got " + std::string(record.type_name()));
    }
    const bool counted = record.get("prompt_tokens") || record.get("input_tokens") ||
                         record.get("completion_tokens") || record.get("output_tokens");
    if (!counted) {
        throw Error(ExitStatus::BadData,
                    "expected prompt_tokens or completion_tokens, got neither");
    }
    Usage usage;
    usage.provider = text_member(record, "provider");
    usage.model = text_member(record, "model");
    usage.prompt_tokens = amount(record, {"prompt_tokens", "input_tokens"});
    usage.completion_tokens = amount(record, {"completion_tokens", "output_tokens"});
    usage.cached_tokens = amount(record, {"cached_tokens"});
    usage.cache_write_tokens = amount(record, {"cache_write_tokens"});
    usage.reasoning_tokens = amount(record, {"reasoning_tokens"});
    usage.cost_microusd = cost_member(record);
    usage.duration_ms = amount(record, {"duration_ms"});
    usage.estimated = record.get_boolean("estimated").value_or(false);
    if (const std::string id = text_member(record, "request_id"); !id.empty()) {
        usage.request_id = id;
    }
    return usage;
}

bool record_usage(Sqlite &database, const UsageOrigin &origin, const Usage &usage,
                  const Clock &clock)
{
    bool inserted = false;
    in_transaction(database, [&] {
        static_cast<void>(show_budget(database, origin.run_id, origin.phase_id));
        insert_usage(database, origin, usage, clock);
        inserted = database.changes() > 0;
    });
    return inserted;
}

Budget show_budget(Sqlite &database, std::string_view run_id, std::string_view phase_id)
{
    Statement query = database.prepare(std::string(budget_columns) +
                                       "WHERE run_id = ?1 AND phase_id = ?2");
    query.bind_all(run_id, phase_id);
    if (!query.step()) {
        throw Error(ExitStatus::NoInput, "no " + name_of(run_id, phase_id));
    }
    return budget_of_row(query);
}

std::vector<Budget> list_budgets(Sqlite &database, std::string_view run_id)
{
    std::vector<Budget> budgets = {show_budget(database, run_id, "")};
    Statement query = database.prepare(
        std::string(budget_columns) +
        "JOIN phases USING (run_id, phase_id) WHERE run_id = ?1 ORDER BY ordinal");
    query.bind_all(run_id);
    while (query.step()) {
        budgets.push_back(budget_of_row(query));
    }
    return budgets;
}

Json budget_to_json(const Budget &budget)
{
    Json json = Json::object();
    json.set("run_id", budget.run_id)
        .set("phase_id",
             budget.phase_id.empty() ? std::nullopt : std::optional(budget.phase_id))
        .set("token_cap", budget.token_cap)
        .set("tokens_used", budget.tokens_used)
        .set("tokens_reserved", budget.tokens_reserved)
        .set("tokens_left", budget.tokens_left())
        .set("cost_cap_microusd", budget.cost_cap_microusd)
        .set("cost_used_microusd", budget.cost_used_microusd)
        .set("cost_reserved_microusd", budget.cost_reserved_microusd)
        .set("exceeded", budget.exceeded())
        .set("warned", budget.warned);
    return json;
}

void set_budget(Sqlite &database, std::string_view run_id, std::string_view phase_id,
                const BudgetChange &change)
{
    in_transaction(database, [&] {
        Budget budget = show_budget(database, run_id, phase_id);
        budget.token_cap = change.token_cap.value_or(budget.token_cap);
        if (change.cost_cap_microusd) {
            budget.cost_cap_microusd =
                *change.cost_cap_microusd < 0 ? std::nullopt : change.cost_cap_microusd;
        }
        database
            .prepare("UPDATE budgets SET token_cap = ?3, cost_cap_microusd = ?4, "
                     "warned_at = iif(?5, warned_at, NULL) "
                     "WHERE run_id = ?1 AND phase_id = ?2")
            .bind_all(run_id, phase_id, budget.token_cap, budget.cost_cap_microusd,
                      int{budget.near_cap()})
            .run();
        if (phase_id.empty()) {
            // What a person has set is no longer the default that the environment moves.
            database.prepare("UPDATE runs SET token_cap_from_plan = 1 WHERE run_id = ?1")
                .bind_all(run_id)
                .run();
        }
        Json detail = Json::object();
        detail.set("token_cap", budget.token_cap)
            .set("cost_cap_microusd", budget.cost_cap_microusd);
        append_event(database, "budget.set", run_id, phase_id, 0, detail.dump());
    });
}

int64_t reserve(Sqlite &database, const ReservationRequest &request, const Clock &clock)
{
    int64_t reservation_id = 0;
    in_transaction(database, [&] {
        require_room(show_budget(database, request.run_id, ""), request);
        if (!request.phase_id.empty()) {
            require_room(show_budget(database, request.run_id, request.phase_id),
                         request);
        }
        database
            .prepare(
                "INSERT INTO budget_reservations (run_id, phase_id, attempt, tokens, "
                "cost_microusd, purpose, pid, created_at) "
                "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
            .bind_all(request.run_id, request.phase_id, request.attempt, request.tokens,
                      request.cost_microusd, request.purpose, int64_t{getpid()},
                      clock.now())
            .run();
        reservation_id = database.last_insert_id();
    });
    return reservation_id;
}

void settle(Sqlite &database, int64_t reservation_id, const Usage &usage,
            const Clock &clock)
{
    in_transaction(database, [&] {
        Statement query = database.prepare("SELECT run_id, phase_id, attempt, status "
                                           "FROM budget_reservations "
                                           "WHERE reservation_id = ?1");
        query.bind_all(reservation_id);
        if (!query.step()) {
            throw Error(ExitStatus::NoInput,
                        "no reservation " + std::to_string(reservation_id));
        }
        if (query.text(3) != "OPEN") {
            throw Error(ExitStatus::BadData, "reservation " +
                                                 std::to_string(reservation_id) +
                                                 " is settled already");
        }
        const UsageOrigin origin = {std::string(query.text(0)),
                                    std::string(query.text(1)), query.optional_integer(2),
                                    "settle", reservation_id};
        query.reset();
        const int64_t tokens = usage.prompt_tokens + usage.completion_tokens;
        if (tokens > 0 || usage.cost_microusd > 0) {
            insert_usage(database, origin, usage, clock);
        }
        database
            .prepare(
                "UPDATE budget_reservations SET status = 'SETTLED', settled_at = ?2, "
                "settled_tokens = ?3 WHERE reservation_id = ?1")
            .bind_all(reservation_id, clock.now(), tokens)
            .run();
    });
}

std::vector<Budget> take_warnings(Sqlite &database, std::string_view run_id,
                                  std::string_view phase_id, const Clock &clock)
{
    std::vector<Budget> warned;
    in_transaction(database, [&] {
        for (const std::string_view id : {std::string_view(), phase_id}) {
            if (!warned.empty() && id == warned.front().phase_id) {
                continue; // phase_id is empty: the run alone
            }
            const Budget budget = show_budget(database, run_id, id);
            if (budget.warned || !budget.near_cap()) {
                continue;
            }
            database
                .prepare("UPDATE budgets SET warned_at = ?3 "
                         "WHERE run_id = ?1 AND phase_id = ?2")
                .bind_all(run_id, id, clock.now())
                .run();
            append_event(database, "budget.warning", run_id, id, 0,
                         budget_to_json(budget).dump());
            warned.push_back(budget);
        }
    });
    return warned;
}

} // namespace ap
