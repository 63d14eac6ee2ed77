#include "domain/gateway_recovery.hh"

#include "domain/budget.hh"
#include "domain/gateway_amount.hh"
#include "domain/gateway_journal.hh"
#include "domain/process_row.hh"
#include "domain/usage_ratios.hh"
#include "sys/path.hh"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

namespace ap {

namespace {

struct Tranche
{
    std::string run_id;
    std::string phase_id;
    Amount row;
    int64_t used = 0;
};
using Tranches = std::map<int64_t, Tranche>;

std::vector<int64_t> dead_gateways(Sqlite &database)
{
    Statement query =
        database.prepare("SELECT gateway_id, pid, pid_started, boot_id FROM gateways "
                         "WHERE ended_at IS NULL");
    std::vector<int64_t> dead;
    while (query.step()) {
        if (!is_alive(read_process(query, 1))) {
            dead.push_back(query.integer(0));
        }
    }
    return dead;
}

bool is_still_open(Sqlite &database, int64_t gateway_id)
{
    Statement query = database.prepare(
        "SELECT 1 FROM gateways WHERE gateway_id = ?1 AND ended_at IS NULL");
    query.bind_all(gateway_id);
    return query.step();
}

Tranches open_tranches(Sqlite &database, int64_t gateway_id)
{
    Statement query = database.prepare(
        "SELECT reservation_id, run_id, phase_id, tokens, cost_microusd "
        "FROM budget_reservations WHERE status = 'OPEN' AND gateway_id = ?1");
    query.bind_all(gateway_id);
    Tranches tranches;
    while (query.step()) {
        tranches[query.integer(0)] = {std::string(query.text(1)),
                                      std::string(query.text(2)),
                                      {query.integer(3), query.integer(4)},
                                      0};
    }
    return tranches;
}

void record(Sqlite &database, int64_t reservation_id, Tranche &tranche,
            std::optional<int64_t> attempt, const Usage &usage, const Clock &clock)
{
    const UsageOrigin origin = {tranche.run_id, tranche.phase_id, attempt, "gateway",
                                reservation_id};
    if (record_usage(database, origin, usage, clock)) {
        tranche.used += usage.prompt_tokens + usage.completion_tokens;
    }
}

void record_slots(Sqlite &database, std::span<const JournalSlot> slots,
                  Tranches &tranches, Reconciliation &done, const Clock &clock)
{
    UsageRatios ratios;
    ratios.load(database);
    for (const JournalSlot &slot : slots) {
        const JournalSlot::State state = slot_state(slot);
        const auto tranche = tranches.find(slot.reservation_id);
        if ((state != JournalSlot::Forwarded && state != JournalSlot::Settled) ||
            tranche == tranches.end()) {
            continue;
        }
        const CallRatios *known =
            ratios.find(static_cast<Dialect>(slot.dialect), stored_text(slot.model));
        const Usage usage = usage_of_slot(slot, known, clock.now());
        record(database, tranche->first, tranche->second,
               slot.has_attempt != 0 ? std::optional(slot.attempt) : std::nullopt, usage,
               clock);
        ++(state == JournalSlot::Settled ? done.exact : done.estimated);
    }
}

// Nobody knows what a tranche was used for: all of it, then.
void record_whole_tranches(Sqlite &database, Tranches &tranches, Reconciliation &done,
                           const Clock &clock)
{
    for (auto &[reservation_id, tranche] : tranches) {
        if (tranche.row == Amount{}) {
            continue;
        }
        Usage usage;
        usage.prompt_tokens = tranche.row.tokens;
        usage.cost_microusd = tranche.row.microusd;
        usage.estimated = true;
        usage.request_id = "tranche-" + std::to_string(reservation_id);
        record(database, reservation_id, tranche, std::nullopt, usage, clock);
        ++done.estimated;
    }
}

void close_tranches(Sqlite &database, const Tranches &tranches, const Clock &clock)
{
    for (const auto &[reservation_id, tranche] : tranches) {
        database
            .prepare("UPDATE budget_reservations SET status = 'SETTLED', "
                     "settled_at = ?2, settled_tokens = ?3 WHERE reservation_id = ?1")
            .bind_all(reservation_id, clock.now(), tranche.used)
            .run();
    }
}

void close_books(Sqlite &database, int64_t gateway_id, const LeftJournal &journal,
                 Reconciliation &done, const Clock &clock)
{
    in_transaction(database, [&] {
        if (!is_still_open(database, gateway_id)) {
            return; // another process was faster
        }
        Tranches tranches = open_tranches(database, gateway_id);
        if (const auto slots = journal.slots_of(gateway_id)) {
            record_slots(database, *slots, tranches, done, clock);
        } else {
            record_whole_tranches(database, tranches, done, clock);
        }
        close_tranches(database, tranches, clock);
        database.prepare("UPDATE gateways SET ended_at = ?2 WHERE gateway_id = ?1")
            .bind_all(gateway_id, clock.now())
            .run();
        done.tranches += static_cast<int64_t>(tranches.size());
        ++done.gateways;
    });
}

} // namespace

std::string gateway_journal_path(const StatePaths &paths)
{
    return join_path(paths.runs, "gate.journal");
}

Reconciliation reconcile_gateways(Sqlite &database, const std::string &journal,
                                  const Clock &clock)
{
    Reconciliation done;
    const std::vector<int64_t> dead = dead_gateways(database);
    if (dead.empty()) {
        return done;
    }
    const LeftJournal left(journal);
    if (left.in_use()) {
        return done; // by a gateway that is about to do this itself
    }
    for (const int64_t gateway_id : dead) {
        close_books(database, gateway_id, left, done, clock);
    }
    return done;
}

} // namespace ap
