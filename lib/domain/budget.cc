#include "domain/budget.hh"

#include "domain/day_budget.hh"
#include "domain/state.hh"
#include "sys/process.hh"

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

// What is left of `cap`; used and reserved may be beyond it, and their sum beyond any
// number.
int64_t left_of(int64_t cap, int64_t used, int64_t reserved)
{
    const int64_t unused = used >= cap ? 0 : cap - used;
    return reserved >= unused ? 0 : unused - reserved;
}

void require_room(const Budget &budget, const ReservationRequest &request)
{
    const std::string name = name_of(budget.run_id, budget.phase_id);
    if (request.tokens > budget.tokens_left()) {
        throw Error(ExitStatus::BudgetExhausted,
                    name + " has " + std::to_string(budget.tokens_left()) + " of " +
                        std::to_string(budget.token_cap) + " tokens left, " +
                        std::to_string(request.tokens) + " asked for");
    }
    if (!budget.cost_cap_microusd) {
        return;
    }
    const int64_t left = left_of(*budget.cost_cap_microusd, budget.cost_used_microusd,
                                 budget.cost_reserved_microusd);
    if (request.cost_microusd > left) {
        throw Error(ExitStatus::BudgetExhausted,
                    name + " has " + format_usd(left) + " of " +
                        format_usd(*budget.cost_cap_microusd) + " left, " +
                        format_usd(request.cost_microusd) + " asked for");
    }
}

void require_room(const DayBudget &day, const ReservationRequest &request)
{
    if (request.tokens > day.tokens_left()) {
        throw Error(ExitStatus::BudgetExhausted,
                    "day " + day.day + " has " + std::to_string(day.tokens_left()) +
                        " of " + std::to_string(day.token_cap.value_or(0)) +
                        " tokens left, " + std::to_string(request.tokens) + " asked for");
    }
    if (request.cost_microusd > day.cost_left()) {
        throw Error(ExitStatus::BudgetExhausted,
                    "day " + day.day + " has " + format_usd(day.cost_left()) + " of " +
                        format_usd(day.cost_cap_microusd.value_or(0)) + " left, " +
                        format_usd(request.cost_microusd) + " asked for");
    }
}

void require_amount(std::string_view what, int64_t value)
{
    if (value < 0 || value > largest_amount) {
        throw Error(ExitStatus::BadData, std::string(what) +
                                             ": expected a whole number from 0 to " +
                                             std::to_string(largest_amount) + ", got " +
                                             std::to_string(value));
    }
}

void insert_reservation(Sqlite &database, const ReservationRequest &request, UnixMs now)
{
    const ReservedCall call = request.call.value_or(ReservedCall{});
    std::optional<ProcessIdentity> holder;
    if (request.call) {
        holder = ProcessIdentity::self();
    }
    database
        .prepare("INSERT INTO budget_reservations (run_id, phase_id, attempt, tokens, "
                 "cost_microusd, purpose, pid, created_at, pid_started, boot_id, "
                 "provider, model, input_tokens) "
                 "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)")
        .bind_all(request.run_id, request.phase_id, request.attempt, request.tokens,
                  request.cost_microusd, request.purpose, int64_t{getpid()}, now,
                  holder ? std::optional(holder->started) : std::nullopt,
                  holder ? std::optional<std::string_view>(holder->boot_id)
                         : std::nullopt,
                  call.provider, call.model,
                  request.call ? std::optional(call.input_tokens) : std::nullopt)
        .run();
}

// At least 80 %, in whole numbers: a double is off by one for some caps.
bool near(int64_t used, int64_t cap)
{
    return used > 0 && used >= cap - cap / 5;
}

} // namespace

bool Budget::exceeded() const noexcept
{
    return tokens_used > token_cap ||
           (cost_cap_microusd && cost_used_microusd > *cost_cap_microusd);
}

bool Budget::near_cap() const noexcept
{
    return near(tokens_used, token_cap) ||
           (cost_cap_microusd && near(cost_used_microusd, *cost_cap_microusd));
}

int64_t Budget::tokens_left() const noexcept
{
    return left_of(token_cap, tokens_used, tokens_reserved);
}

int64_t Budget::cost_left() const noexcept
{
    return cost_cap_microusd
               ? left_of(*cost_cap_microusd, cost_used_microusd, cost_reserved_microusd)
               : largest_amount;
}

std::string charged_phase_name(Sqlite &database, std::string_view run_id,
                               std::string_view phase_id)
{
    Statement query = database.prepare("SELECT coalesce(phase_name, '') FROM budgets b "
                                       "LEFT JOIN phases p USING (run_id, phase_id) "
                                       "WHERE b.run_id = ?1 AND b.phase_id = ?2");
    query.bind_all(run_id, phase_id);
    if (!query.step()) {
        throw Error(ExitStatus::NoInput, "no " + name_of(run_id, phase_id));
    }
    return std::string(query.text(0));
}

bool insert_usage(Sqlite &database, const UsageOrigin &origin,
                  std::string_view phase_name, const Usage &usage, UnixMs at,
                  UsageTotals totals)
{
    database
        .prepare("INSERT INTO llm_usage_events (run_id, phase_id, phase_name, attempt, "
                 "provider, model, prompt_tokens, completion_tokens, cached_tokens, "
                 "cache_write_tokens, reasoning_tokens, cost_microusd, duration_ms, "
                 "source, estimated, reservation_id, request_id, created_at, "
                 "provider_request_id, summed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, "
                 "?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, nullif(?19, ''), ?20) "
                 "ON CONFLICT (run_id, request_id) WHERE request_id IS NOT NULL "
                 "DO NOTHING")
        .bind_all(origin.run_id, origin.phase_id, phase_name, origin.attempt,
                  usage.provider, usage.model, usage.prompt_tokens,
                  usage.completion_tokens, usage.cached_tokens, usage.cache_write_tokens,
                  usage.reasoning_tokens, usage.cost_microusd, usage.duration_ms,
                  origin.source, int{usage.estimated}, origin.reservation_id,
                  usage.request_id, at, usage.provider_request_id,
                  int{totals == UsageTotals::ByCaller})
        .run();
    return database.changes() > 0;
}

bool record_usage(Sqlite &database, const UsageOrigin &origin, const Usage &usage,
                  const Clock &clock)
{
    bool inserted = false;
    in_transaction(database, [&] {
        inserted =
            insert_usage(database, origin,
                         charged_phase_name(database, origin.run_id, origin.phase_id),
                         usage, clock.now(), UsageTotals::ByTrigger);
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

std::vector<Budget> list_budgets(Sqlite &database, std::string_view run_id,
                                 std::string_view phase_id)
{
    std::vector<Budget> budgets = {show_budget(database, run_id, phase_id)};
    if (!phase_id.empty()) {
        return budgets;
    }
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
    require_amount("tokens", request.tokens);
    require_amount("cost_microusd", request.cost_microusd);
    int64_t reservation_id = 0;
    in_transaction(database, [&] {
        require_room(show_budget(database, request.run_id, ""), request);
        if (!request.phase_id.empty()) {
            require_room(show_budget(database, request.run_id, request.phase_id),
                         request);
        }
        require_room(show_day_budget(database, day_of(clock.now())), request);
        insert_reservation(database, request, clock.now());
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
            record_usage(database, origin, usage, clock);
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
