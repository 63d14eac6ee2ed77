#include "domain/integrity.hh"

#include "domain/attempt_result.hh"
#include "domain/attempt_usage.hh"
#include "domain/control.hh"
#include "domain/gateway_recovery.hh"
#include "domain/lease.hh"
#include "domain/left_reservations.hh"
#include "domain/process_row.hh"

#include <algorithm>
#include <vector>

namespace ap {

namespace {

struct DeadExecutor
{
    int64_t executor_id = 0;
    pid_t pid = 0;
    std::string run_id;
};

struct OrphanedAttempt
{
    DeadExecutor executor;
    Lease lease;
};

std::vector<int64_t> dead_connections(Sqlite &database)
{
    Statement query = database.prepare(
        "SELECT connection_id, pid, pid_started, boot_id FROM connections");
    std::vector<int64_t> dead;
    while (query.step()) {
        if (!is_alive(read_process(query, 1))) {
            dead.push_back(query.integer(0));
        }
    }
    return dead;
}

std::vector<DeadExecutor> dead_executors(Sqlite &database, std::string_view run_id)
{
    Statement query = database.prepare(
        "SELECT executor_id, pid, pid_started, boot_id, run_id FROM executors "
        "WHERE ended_at IS NULL AND (?1 = '' OR run_id = ?1)");
    query.bind_all(run_id);
    std::vector<DeadExecutor> dead;
    while (query.step()) {
        const ProcessIdentity process = read_process(query, 1);
        if (!is_alive(process)) {
            dead.push_back({query.integer(0), process.pid, std::string(query.text(4))});
        }
    }
    return dead;
}

std::vector<OrphanedAttempt> open_attempts(Sqlite &database, const DeadExecutor &executor)
{
    // What a batch system executes goes on without its executor; the next takes it up.
    Statement query = database.prepare(
        "SELECT attempt_id FROM attempts WHERE executor_id = ?1 AND ended_at IS NULL "
        "AND attempt_id NOT IN (SELECT attempt_id FROM batch_jobs)");
    query.bind_all(executor.executor_id);
    std::vector<OrphanedAttempt> attempts;
    while (query.step()) {
        attempts.push_back({executor, lease_of_attempt(database, query.integer(0))});
    }
    return attempts;
}

// The phase may only start again when nothing of the lost attempt is left.
void end_what_is_left(const OrphanedAttempt &attempt)
{
    const std::string marker = "AUTOPACK_LEASE=" + attempt.lease.token;
    // A process may fork while its siblings are being ended, so look until all are gone.
    std::vector<pid_t> left = processes_with_environment(marker);
    for (int round = 0; round < 10 && !left.empty(); round++) {
        if (!end_processes(left, attempt.lease.phase.grace)) {
            break;
        }
        left = processes_with_environment(marker);
    }
    if (!left.empty()) {
        throw Error(ExitStatus::TryAgain,
                    "phase " + attempt.lease.phase.id + ": process " +
                        std::to_string(left.front()) + ", left by the dead executor " +
                        std::to_string(attempt.executor.pid) + ", cannot be ended");
    }
}

std::optional<Control> pending_timeout(Sqlite &database, const Lease &lease)
{
    for (Control &control : pending_controls(database, lease.run_id)) {
        if (control.verb == ControlVerb::Timeout && control.phase_id == lease.phase.id) {
            return std::move(control);
        }
    }
    return std::nullopt;
}

void record_lost_attempt(State &state, const OrphanedAttempt &attempt, const Clock &clock)
{
    Sqlite &database = state.database();
    AttemptOutcome outcome;
    outcome.status = AttemptStatus::Interrupted;
    outcome.reason =
        "its executor (pid " + std::to_string(attempt.executor.pid) + ") died";
    outcome.duration_ms = std::max<int64_t>(0, clock.now() - attempt.lease.started_at);
    record_left_usage(state, attempt.lease, clock);
    if (const auto control = pending_timeout(database, attempt.lease)) {
        outcome.status = AttemptStatus::TimedOut;
        outcome.reason = "timed out on request";
        apply_control(database, control->control_id,
                      "the attempt of the dead executor is ended", clock);
    }
    finish_attempt(database, attempt.lease, outcome, 1.0, clock);
}

bool is_still_open(Sqlite &database, int64_t attempt_id)
{
    Statement query = database.prepare(
        "SELECT 1 FROM attempts WHERE attempt_id = ?1 AND ended_at IS NULL");
    query.bind_all(attempt_id);
    return query.step();
}

// False if another process was faster.
bool record_death(Sqlite &database, const DeadExecutor &executor, UnixMs now)
{
    Statement end = database.prepare("UPDATE executors SET ended_at = ?2, "
                                     "outcome = 'died' WHERE executor_id = ?1 "
                                     "AND ended_at IS NULL RETURNING executor_id");
    end.bind_all(executor.executor_id, now);
    if (!end.step()) {
        return false;
    }
    end.run();
    append_event(database, "executor.died", executor.run_id, {}, 0,
                 "{\"pid\":" + std::to_string(executor.pid) + "}");
    // Nobody executes it any more, so it must not look as if somebody did.
    database
        .prepare("UPDATE runs SET status = 'STOPPED', reason = 'its executor died' "
                 "WHERE run_id = ?1 AND status = 'EXECUTING' AND NOT EXISTS "
                 "(SELECT 1 FROM executors WHERE run_id = ?1 AND ended_at IS NULL)")
        .bind_all(executor.run_id)
        .run();
    return true;
}

} // namespace

CleanupResult forget_dead_processes(State &state, std::string_view run_id)
{
    Sqlite &database = state.database();
    const SystemClock clock;
    const std::vector<int64_t> connections = dead_connections(database);
    const std::vector<DeadExecutor> executors = dead_executors(database, run_id);
    std::vector<OrphanedAttempt> attempts;
    for (const DeadExecutor &executor : executors) {
        for (OrphanedAttempt &attempt : open_attempts(database, executor)) {
            end_what_is_left(attempt);
            save_left_usage(state.paths(), attempt.lease);
            attempts.push_back(std::move(attempt));
        }
    }
    CleanupResult result;
    const Reconciliation books =
        reconcile_gateways(database, gateway_journal_path(state.paths()), clock);
    result.gateways = books.gateways;
    result.calls = books.exact + books.estimated;
    if (connections.empty() && executors.empty()) {
        result.calls += settle_left_calls(database, run_id, clock);
        return result;
    }
    Transaction transaction(database);
    for (const OrphanedAttempt &attempt : attempts) {
        if (is_still_open(database, attempt.lease.attempt_id)) {
            record_lost_attempt(state, attempt, clock);
            result.attempts++;
        }
    }
    result.calls += settle_left_calls(database, run_id, clock);
    for (const DeadExecutor &executor : executors) {
        result.executors += int{record_death(database, executor, clock.now())};
    }
    for (const int64_t connection : connections) {
        database.prepare("DELETE FROM connections WHERE connection_id = ?1")
            .bind_all(connection)
            .run();
        result.connections += database.changes();
    }
    transaction.commit();
    for (const OrphanedAttempt &attempt : attempts) {
        remove_usage_files(state.paths(), attempt.lease);
    }
    // They stay pending: the next executor makes sure that they are on the disk.
    for (const DeadExecutor &executor : executors) {
        for (const int64_t attempt :
             attempts_without_result(database, executor.executor_id)) {
            write_attempt_result(state, attempt);
        }
    }
    return result;
}

} // namespace ap
