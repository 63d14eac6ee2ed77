#include "domain/gateway_store.hh"

#include "domain/budget.hh"
#include "domain/budget_refusal.hh"
#include "domain/day_budget.hh"
#include "domain/usage_batch.hh"
#include "sys/process.hh"

#include <unistd.h>

namespace ap {

namespace {

// By how much `used` and `reserved`, whose sum may be beyond any number, pass `cap`.
int64_t beyond(int64_t cap, int64_t used, int64_t reserved)
{
    return used >= cap
               ? std::min(used - cap + std::min(reserved, INT64_MAX / 4), largest_amount)
               : std::max<int64_t>(0, reserved - (cap - used));
}

AccountRoom::Scope scope_of(const Budget &budget, std::string name)
{
    AccountRoom::Scope scope;
    scope.name = std::move(name);
    scope.cap.tokens = budget.token_cap;
    scope.left.tokens = budget.tokens_left();
    scope.beyond.tokens =
        beyond(budget.token_cap, budget.tokens_used, budget.tokens_reserved);
    if (budget.cost_cap_microusd) {
        scope.cap.microusd = *budget.cost_cap_microusd;
        scope.left.microusd = budget.cost_left();
        scope.beyond.microusd =
            beyond(*budget.cost_cap_microusd, budget.cost_used_microusd,
                   budget.cost_reserved_microusd);
    }
    return scope;
}

AccountRoom::Scope scope_of(const DayBudget &budget)
{
    return {{budget.tokens_left(), budget.cost_left()},
            {budget.token_cap.value_or(largest_amount),
             budget.cost_cap_microusd.value_or(largest_amount)},
            "day " + budget.day,
            {beyond(budget.token_cap.value_or(INT64_MAX), budget.tokens_used,
                    budget.tokens_reserved),
             beyond(budget.cost_cap_microusd.value_or(INT64_MAX),
                    budget.cost_used_microusd, budget.cost_reserved_microusd)}};
}

BudgetScope scope_of(Refusal refusal)
{
    return refusal == Refusal::PhaseBudget ? BudgetScope::Phase
           : refusal == Refusal::RunBudget ? BudgetScope::Run
                                           : BudgetScope::Day;
}

} // namespace

GatewayStore::GatewayStore(Sqlite &database, const Clock &clock)
    : database_(database)
    , clock_(clock)
{
}

int64_t GatewayStore::begin_gateway()
{
    const ProcessIdentity self = ProcessIdentity::self();
    database_
        .prepare("INSERT INTO gateways (pid, pid_started, boot_id, started_at) "
                 "VALUES (?1, ?2, ?3, ?4)")
        .bind_all(int64_t{self.pid}, self.started, self.boot_id, clock_.now())
        .run();
    return database_.last_insert_id();
}

void GatewayStore::end_gateway(int64_t gateway_id)
{
    database_.prepare("UPDATE gateways SET ended_at = ?2 WHERE gateway_id = ?1")
        .bind_all(gateway_id, clock_.now())
        .run();
}

void GatewayStore::record(const std::vector<GatewayCharge> &charges)
{
    const UnixMs now = clock_.now();
    UsageBatch batch(database_);
    for (const GatewayCharge &charge : charges) {
        const JournalSlot &slot = *charge.slot;
        const UsageOrigin origin = {
            charge.account->run_id, charge.account->phase_id,
            slot.has_attempt != 0 ? std::optional(slot.attempt) : std::nullopt, "gateway",
            slot.reservation_id > 0 ? std::optional(slot.reservation_id) : std::nullopt};
        try {
            batch.add(origin, usage_of_slot(slot, nullptr, now), now);
        } catch (const Error &error) {
            if (error.status() != ExitStatus::NoInput) {
                throw;
            }
        }
    }
    batch.write_sums();
}

void GatewayStore::write_tranche(GatewayAccount &account, int64_t gateway_id)
{
    GatewayAccount::Plan &plan = account.plan;
    if (plan.gone || (plan.reservation_id == 0 && plan.row == Amount{})) {
        return;
    }
    if (plan.reservation_id == 0) {
        database_
            .prepare("INSERT INTO budget_reservations (run_id, phase_id, tokens, "
                     "cost_microusd, purpose, pid, created_at, gateway_id) "
                     "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
            .bind_all(account.run_id, account.phase_id, plan.row.tokens,
                      plan.row.microusd, tranche_purpose, int64_t{getpid()}, clock_.now(),
                      gateway_id)
            .run();
        plan.reservation_id = database_.last_insert_id();
    } else if (plan.closes) {
        database_
            .prepare("UPDATE budget_reservations SET status = 'SETTLED', "
                     "settled_at = ?2, settled_tokens = ?3 WHERE reservation_id = ?1")
            .bind_all(plan.reservation_id, clock_.now(), account.spent + plan.used.tokens)
            .run();
        plan.reservation_id = 0;
        plan.row = {};
    } else {
        database_
            .prepare("UPDATE budget_reservations SET tokens = ?2, cost_microusd = ?3 "
                     "WHERE reservation_id = ?1")
            .bind_all(plan.reservation_id, plan.row.tokens, plan.row.microusd)
            .run();
        if (database_.changes() == 0) { // the run was deleted, and this with it
            plan.reservation_id = 0;
            plan.row = {};
            plan.gone = true;
        }
    }
}

AccountRoom GatewayStore::room_of(const std::string &run_id, const std::string &phase_id)
{
    AccountRoom room;
    room.run.name = "run '" + run_id + "'";
    room.phase.name = "phase '" + phase_id + "' of " + room.run.name;
    try {
        room.run = scope_of(show_budget(database_, run_id, ""), room.run.name);
        if (!phase_id.empty()) {
            room.phase =
                scope_of(show_budget(database_, run_id, phase_id), room.phase.name);
        }
    } catch (const Error &error) {
        if (error.status() != ExitStatus::NoInput) {
            throw;
        }
        room.exists = false;
        return room;
    }
    room.day = scope_of(show_day_budget(database_, day_of(clock_.now())));
    return room;
}

void GatewayStore::note_refusals(const std::vector<GatewayBooks::RefusedCall> &refused)
{
    for (const GatewayBooks::RefusedCall &call : refused) {
        Statement attempt = database_.prepare(
            "SELECT 1 FROM attempts WHERE attempt_id = ?1 AND ended_at IS NULL");
        attempt.bind_all(call.attempt_id);
        if (attempt.step()) {
            attempt.reset();
            note_budget_refusal(database_, call.attempt_id,
                                {scope_of(call.refusal), call.reason}, clock_);
        }
    }
}

std::map<std::string, int64_t, std::less<>> GatewayStore::largest_outputs()
{
    std::map<std::string, int64_t, std::less<>> outputs;
    Statement query =
        database_.prepare("SELECT model, largest_output FROM model_outputs");
    while (query.step()) {
        outputs.emplace(query.text(0), query.integer(1));
    }
    return outputs;
}

void GatewayStore::save_largest_output(std::string_view model, int64_t output)
{
    database_
        .prepare("INSERT INTO model_outputs VALUES (?1, ?2) ON CONFLICT (model) DO "
                 "UPDATE SET largest_output = max(largest_output, "
                 "excluded.largest_output)")
        .bind_all(model, output)
        .run();
}

} // namespace ap
