#include "domain/left_reservations.hh"

#include "domain/budget.hh"
#include "domain/process_row.hh"

#include <algorithm>
#include <string>
#include <vector>

namespace ap {

namespace {

struct LeftCall
{
    int64_t reservation_id = 0;
    Usage usage;
};

// What an open reservation that is a process's call would be as an estimate; the holder
// is in the last three columns.
constexpr std::string_view call_columns =
    "SELECT b.reservation_id, b.provider, b.model, b.tokens, "
    "coalesce(b.input_tokens, b.tokens), b.cost_microusd, b.created_at, "
    "b.pid, b.pid_started, b.boot_id FROM budget_reservations b "
    "INDEXED BY budget_reservations_open "
    "WHERE b.status = 'OPEN' AND b.pid_started IS NOT NULL ";

std::vector<LeftCall> calls_of_the_dead(Statement &rows, UnixMs now)
{
    std::vector<LeftCall> left;
    while (rows.step()) {
        if (is_alive(read_process(rows, 7))) {
            continue;
        }
        LeftCall call;
        call.reservation_id = rows.integer(0);
        call.usage.provider = rows.text(1);
        call.usage.model = rows.text(2);
        call.usage.prompt_tokens = rows.integer(4);
        call.usage.completion_tokens = rows.integer(3) - rows.integer(4);
        call.usage.cost_microusd = rows.integer(5);
        call.usage.duration_ms = std::max<int64_t>(0, now - rows.integer(6));
        call.usage.estimated = true;
        left.push_back(std::move(call));
    }
    return left;
}

// In the caller's transaction, or else in one that is only begun when there is a call.
int64_t settle_all(Sqlite &database, const Clock &clock, Statement &rows)
{
    if (calls_of_the_dead(rows, clock.now()).empty()) {
        return 0;
    }
    int64_t settled = 0;
    in_transaction(database, [&] {
        // Another process may have been faster.
        for (const LeftCall &call : calls_of_the_dead(rows, clock.now())) {
            settle(database, call.reservation_id, call.usage, clock);
            settled++;
        }
    });
    return settled;
}

Statement left_calls(Sqlite &database, std::string_view run_id)
{
    Statement rows = database.prepare(
        std::string(call_columns) +
        "AND (?1 = '' OR b.run_id = ?1) AND NOT EXISTS (SELECT 1 FROM attempts a "
        "WHERE a.run_id = b.run_id AND a.phase_id = b.phase_id "
        "AND a.number = b.attempt AND a.ended_at IS NULL)");
    rows.bind_all(run_id);
    return rows;
}

std::vector<int64_t> reservations_of_ended_runs(Sqlite &database)
{
    Statement rows = database.prepare(
        "SELECT b.reservation_id FROM budget_reservations b JOIN runs r USING (run_id) "
        "WHERE b.status = 'OPEN' AND b.purpose <> 'gateway tranche' "
        "AND b.pid_started IS NULL AND r.status IN "
        "('DONE_SUCCESS', 'DONE_FAILED', 'DONE_FAILED_BUDGET_EXHAUSTED', "
        "'DONE_ABORTED')");
    std::vector<int64_t> ids;
    while (rows.step()) {
        ids.push_back(rows.integer(0));
    }
    return ids;
}

} // namespace

int64_t settle_calls_of_attempt(Sqlite &database, std::string_view run_id,
                                std::string_view phase_id, int64_t attempt,
                                const Clock &clock)
{
    Statement rows =
        database.prepare(std::string(call_columns) +
                         "AND b.run_id = ?1 AND b.phase_id = ?2 AND b.attempt = ?3");
    rows.bind_all(run_id, phase_id, attempt);
    return settle_all(database, clock, rows);
}

int64_t settle_left_calls(Sqlite &database, std::string_view run_id, const Clock &clock)
{
    Statement rows = left_calls(database, run_id);
    return settle_all(database, clock, rows);
}

int64_t count_left_reservations(Sqlite &database)
{
    Statement calls = left_calls(database, "");
    return static_cast<int64_t>(reservations_of_ended_runs(database).size() +
                                calls_of_the_dead(calls, 0).size());
}

int64_t release_left_reservations(Sqlite &database, const Clock &clock)
{
    int64_t released = 0;
    in_transaction(database, [&] {
        for (const int64_t reservation : reservations_of_ended_runs(database)) {
            settle(database, reservation, {}, clock);
            released++;
        }
    });
    return released;
}

} // namespace ap
