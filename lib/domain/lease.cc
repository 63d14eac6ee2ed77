#include "domain/lease.hh"

#include "sys/process.hh"

#include <algorithm>
#include <cmath>

namespace ap {

namespace {

void finish_run_if_done(Sqlite &database, std::string_view run_id, UnixMs now)
{
    // A spent budget or an abort explains the end better than the failures it caused.
    database
        .prepare("UPDATE runs SET ended_at = ?2, status = CASE "
                 "WHEN EXISTS (SELECT 1 FROM budgets b WHERE b.run_id = ?1 "
                 "  AND b.phase_id = '' AND (b.tokens_used > b.token_cap "
                 "    OR b.cost_used_microusd > b.cost_cap_microusd)) "
                 "OR EXISTS (SELECT 1 FROM budget_refusals f WHERE f.run_id = ?1 "
                 "  AND f.scope IN ('run', 'day')) "
                 "  THEN 'DONE_FAILED_BUDGET_EXHAUSTED' "
                 "WHEN requested = 'abort' THEN 'DONE_ABORTED' "
                 "WHEN failed_phases > 0 THEN 'DONE_FAILED' "
                 "ELSE 'DONE_SUCCESS' END, requested = NULL "
                 "WHERE run_id = ?1 AND open_phases = 0 AND status NOT LIKE 'DONE%'")
        .bind_all(run_id, now)
        .run();
}

void count_ended(Sqlite &database, std::string_view run_id, std::string_view tier_id,
                 std::string_view status)
{
    database
        .prepare("UPDATE tiers SET open_phases = open_phases - 1, failed_phases = "
                 "failed_phases + (?3 = 'FAILED') WHERE run_id = ?1 AND tier_id = ?2")
        .bind_all(run_id, tier_id, status)
        .run();
    database
        .prepare("UPDATE runs SET open_phases = open_phases - 1, "
                 "failed_phases = failed_phases + (?2 = 'FAILED'), "
                 "complete_phases = complete_phases + (?2 = 'COMPLETE') "
                 "WHERE run_id = ?1")
        .bind_all(run_id, status)
        .run();
}

void release_dependents(Sqlite &database, std::string_view run_id,
                        std::string_view phase_id)
{
    database
        .prepare("UPDATE phases SET blockers = blockers - 1 WHERE run_id = ?1 "
                 "AND phase_id IN (SELECT phase_id FROM phase_dependencies "
                 "  WHERE run_id = ?1 AND needs_phase_id = ?2)")
        .bind_all(run_id, phase_id)
        .run();
}

// The last phase of a tier is complete: the tier behind it may start.
void open_next_tier(Sqlite &database, std::string_view run_id, std::string_view tier_id)
{
    database
        .prepare("UPDATE phases SET blockers = blockers - 1 WHERE run_id = ?1 "
                 "AND tier_id = (SELECT next.tier_id FROM tiers t JOIN tiers next "
                 "  ON next.run_id = t.run_id AND next.ordinal > t.ordinal "
                 "  WHERE t.run_id = ?1 AND t.tier_id = ?2 AND t.open_phases = 0 "
                 "  AND t.failed_phases = 0 ORDER BY next.ordinal LIMIT 1)")
        .bind_all(run_id, tier_id)
        .run();
}

// Nothing that waits for the failed phase can start any more: whatever depends on it,
// directly or not, and all later tiers.
void skip_what_waits(Sqlite &database, std::string_view run_id, std::string_view phase_id,
                     std::string_view tier_id, UnixMs now)
{
    Statement skip = database.prepare(
        "WITH RECURSIVE waiting (id) AS ("
        "  SELECT phase_id FROM phase_dependencies "
        "    WHERE run_id = ?1 AND needs_phase_id = ?2 "
        "  UNION SELECT p.phase_id FROM phases p JOIN tiers t "
        "    ON t.run_id = p.run_id AND t.tier_id = p.tier_id WHERE p.run_id = ?1 "
        "    AND t.ordinal > (SELECT ordinal FROM tiers "
        "      WHERE run_id = ?1 AND tier_id = ?3) "
        "  UNION SELECT d.phase_id FROM waiting JOIN phase_dependencies d "
        "    ON d.run_id = ?1 AND d.needs_phase_id = waiting.id) "
        "UPDATE phases SET status = 'SKIPPED', ended_at = ?4, "
        "  reason = 'phase ' || ?2 || ' failed' "
        "WHERE run_id = ?1 AND status = 'QUEUED' AND phase_id IN (SELECT id FROM "
        "waiting) "
        "RETURNING tier_id");
    skip.bind_all(run_id, phase_id, tier_id, now);
    std::vector<std::string> tiers;
    while (skip.step()) {
        tiers.emplace_back(skip.text(0));
    }
    for (const std::string &tier : tiers) {
        count_ended(database, run_id, tier, "SKIPPED");
    }
}

// Queues the phase again, due at a time, with what that counts as.
PhaseVerdict queue_again(Sqlite &database, const Lease &lease, std::string_view reason,
                         int failures, int interruptions, UnixMs due, UnixMs now)
{
    database
        .prepare("UPDATE phases SET status = 'QUEUED', reason = ?3, not_before = ?4, "
                 "waits_from = ?5, failures = failures + ?6, "
                 "interruptions = interruptions + ?7 WHERE run_id = ?1 AND phase_id = ?2")
        .bind_all(lease.run_id, lease.phase.id, reason, due, now, failures, interruptions)
        .run();
    return {"QUEUED", due};
}

int64_t interruptions(Sqlite &database, const Lease &lease)
{
    Statement query = database.prepare(
        "SELECT interruptions FROM phases WHERE run_id = ?1 AND phase_id = ?2");
    query.bind_all(lease.run_id, lease.phase.id);
    return query.step() ? query.integer(0) : 0;
}

void record_outcome(Sqlite &database, const Lease &lease, const AttemptOutcome &outcome,
                    UnixMs now)
{
    const std::optional<std::string_view> reason =
        outcome.reason.empty() ? std::nullopt
                               : std::optional<std::string_view>(outcome.reason);
    database
        .prepare("UPDATE attempts SET status = ?2, reason = ?3, exit_code = ?4, "
                 "signal = ?5, duration_ms = ?6, cpu_ms = ?7, max_rss_kib = ?8, "
                 "ended_at = ?9 WHERE attempt_id = ?1")
        .bind_all(lease.attempt_id, attempt_status_name(outcome.status), reason,
                  outcome.exit_code, outcome.signal, outcome.duration_ms, outcome.cpu_ms,
                  outcome.max_rss_kib, now)
        .run();
}

} // namespace

std::string_view attempt_status_name(AttemptStatus status)
{
    switch (status) {
    case AttemptStatus::Succeeded:
        return "SUCCEEDED";
    case AttemptStatus::Failed:
        return "FAILED";
    case AttemptStatus::TimedOut:
        return "TIMED_OUT";
    case AttemptStatus::IdleTimedOut:
        return "IDLE_TIMED_OUT";
    case AttemptStatus::BudgetExhausted:
        return "BUDGET_EXHAUSTED";
    case AttemptStatus::Aborted:
        return "ABORTED";
    case AttemptStatus::Interrupted:
        return "INTERRUPTED";
    }
    throw Error(ExitStatus::Bug, "no such attempt status");
}

std::optional<Lease> lease_next_phase(Sqlite &database, std::string_view run_id,
                                      int64_t executor_id, const Clock &clock)
{
    const UnixMs now = clock.now();
    // waits_from in the future means that the clock was set back during the wait: the
    // rest of it cannot be told any more, so the phase is due.
    Statement next = database.prepare(
        "SELECT phase_id, spec, attempts_made, failures FROM phases "
        "INDEXED BY phases_ready WHERE run_id = ?1 AND status = 'QUEUED' AND blockers = "
        "0 "
        "AND (not_before <= ?2 OR waits_from > ?2) ORDER BY ordinal LIMIT 1");
    next.bind_all(run_id, now);
    if (!next.step()) {
        return std::nullopt;
    }
    Lease lease;
    lease.run_id = run_id;
    lease.phase = phase_spec_from_json(next.text(1));
    lease.number = next.integer(2) + 1;
    lease.failures = next.integer(3);
    lease.token = random_token();
    lease.started_at = now;
    next.reset();
    database
        .prepare("UPDATE phases SET status = 'EXECUTING', reason = NULL, "
                 "attempts_made = ?3, started_at = coalesce(started_at, ?4) "
                 "WHERE run_id = ?1 AND phase_id = ?2")
        .bind_all(run_id, lease.phase.id, lease.number, now)
        .run();
    database
        .prepare("INSERT INTO attempts (run_id, phase_id, number, executor_id, lease, "
                 "started_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        .bind_all(run_id, lease.phase.id, lease.number, executor_id, lease.token, now)
        .run();
    lease.attempt_id = database.last_insert_id();
    return lease;
}

void return_lease(Sqlite &database, const Lease &lease, UnixMs not_before,
                  std::string_view reason, const Clock &clock)
{
    database.prepare("DELETE FROM attempts WHERE attempt_id = ?1")
        .bind_all(lease.attempt_id)
        .run();
    database
        .prepare(
            "UPDATE phases SET status = 'QUEUED', reason = ?3, not_before = ?4, "
            "waits_from = ?5, attempts_made = ?6 WHERE run_id = ?1 AND phase_id = ?2")
        .bind_all(lease.run_id, lease.phase.id, reason, not_before, clock.now(),
                  lease.number - 1)
        .run();
}

Lease lease_of_attempt(Sqlite &database, int64_t attempt_id)
{
    Statement query = database.prepare(
        "SELECT a.run_id, a.number, a.lease, a.started_at, p.spec, p.failures "
        "FROM attempts a JOIN phases p USING (run_id, phase_id) "
        "WHERE a.attempt_id = ?1");
    query.bind_all(attempt_id);
    if (!query.step()) {
        throw Error(ExitStatus::Bug, "no attempt " + std::to_string(attempt_id));
    }
    Lease lease;
    lease.attempt_id = attempt_id;
    lease.run_id = query.text(0);
    lease.number = query.integer(1);
    lease.token = query.text(2);
    lease.started_at = query.integer(3);
    lease.phase = phase_spec_from_json(query.text(4));
    lease.failures = query.integer(5);
    return lease;
}

void begin_checks(Sqlite &database, const Lease &lease)
{
    in_transaction(database, [&] {
        database
            .prepare("UPDATE phases SET status = 'CI_RUNNING' "
                     "WHERE run_id = ?1 AND phase_id = ?2")
            .bind_all(lease.run_id, lease.phase.id)
            .run();
        database
            .prepare("UPDATE attempts SET status = 'CI_RUNNING' WHERE attempt_id = ?1")
            .bind_all(lease.attempt_id)
            .run();
    });
}

PhaseVerdict finish_attempt(Sqlite &database, const Lease &lease,
                            const AttemptOutcome &outcome, double spread,
                            const Clock &clock)
{
    const UnixMs now = clock.now();
    const PhaseSpec &phase = lease.phase;
    record_outcome(database, lease, outcome, now);
    const auto end_as = [&](const char *status, const std::string &reason) {
        end_phase(database, lease.run_id, phase.id, status, reason, clock);
        return PhaseVerdict{status, std::nullopt};
    };
    switch (outcome.status) {
    case AttemptStatus::Succeeded:
        end_phase(database, lease.run_id, phase.id, "COMPLETE", {}, clock);
        return {"COMPLETE", std::nullopt};
    case AttemptStatus::BudgetExhausted:
    case AttemptStatus::Aborted:
        return end_as("FAILED", outcome.reason);
    case AttemptStatus::Interrupted:
        if (outcome.next == PhaseNext::Wait) {
            return queue_again(database, lease, outcome.reason, 0, 0,
                               outcome.wait_until.value_or(now), now);
        }
        if (interruptions(database, lease) >= phase.max_interruptions) {
            return end_as("FAILED", "interrupted " +
                                        std::to_string(phase.max_interruptions) +
                                        " times");
        }
        return queue_again(database, lease, outcome.reason, 0, 1, now, now);
    case AttemptStatus::Failed:
    case AttemptStatus::TimedOut:
    case AttemptStatus::IdleTimedOut:
        break;
    }
    if (outcome.next == PhaseNext::Skip) {
        return end_as("SKIPPED", outcome.reason);
    }
    if (outcome.next == PhaseNext::Fail || lease.failures + 1 >= phase.max_attempts) {
        return end_as("FAILED", outcome.reason);
    }
    const auto wait = backoff_wait(phase.backoff, lease.failures + 1, spread);
    return queue_again(database, lease, outcome.reason, 1, 0, now + wait.count(), now);
}

void end_phase(Sqlite &database, std::string_view run_id, std::string_view phase_id,
               std::string_view status, std::string_view reason, const Clock &clock)
{
    const UnixMs now = clock.now();
    in_transaction(database, [&] {
        const bool failed = status == "FAILED";
        Statement end = database.prepare(
            "UPDATE phases SET status = ?3, reason = nullif(?4, ''), ended_at = ?5, "
            "failures = failures + ?6 WHERE run_id = ?1 AND phase_id = ?2 "
            "AND status NOT IN ('COMPLETE', 'FAILED', 'SKIPPED') RETURNING tier_id");
        end.bind_all(run_id, phase_id, status, reason, now, int{failed});
        if (!end.step()) {
            return;
        }
        const std::string tier_id(end.text(0));
        end.run();
        count_ended(database, run_id, tier_id, status);
        if (status == "COMPLETE") {
            release_dependents(database, run_id, phase_id);
            open_next_tier(database, run_id, tier_id);
        } else {
            skip_what_waits(database, run_id, phase_id, tier_id, now);
        }
        finish_run_if_done(database, run_id, now);
    });
}

void abort_run(Sqlite &database, std::string_view run_id, std::string_view reason,
               const Clock &clock)
{
    const UnixMs now = clock.now();
    in_transaction(database, [&] {
        database
            .prepare("UPDATE attempts SET status = 'ABORTED', reason = ?2, ended_at = ?3 "
                     "WHERE run_id = ?1 AND ended_at IS NULL")
            .bind_all(run_id, reason, now)
            .run();
        database
            .prepare(
                "UPDATE phases SET status = CASE status WHEN 'QUEUED' THEN 'SKIPPED' "
                "ELSE 'FAILED' END, reason = ?2, ended_at = ?3 WHERE run_id = ?1 "
                "AND status NOT IN ('COMPLETE', 'FAILED', 'SKIPPED')")
            .bind_all(run_id, reason, now)
            .run();
        database
            .prepare("UPDATE tiers SET open_phases = 0, failed_phases = (SELECT count(*) "
                     "FROM phases p WHERE p.run_id = ?1 AND p.tier_id = tiers.tier_id "
                     "AND p.status = 'FAILED') WHERE run_id = ?1")
            .bind_all(run_id)
            .run();
        database
            .prepare("UPDATE runs SET open_phases = 0, reason = ?2, "
                     "requested = coalesce(requested, 'abort'), failed_phases = "
                     "(SELECT count(*) FROM phases p WHERE p.run_id = ?1 "
                     "AND p.status = 'FAILED') WHERE run_id = ?1 "
                     "AND status NOT LIKE 'DONE%'")
            .bind_all(run_id, reason)
            .run();
        finish_run_if_done(database, run_id, now);
    });
}

RunStanding run_standing(Sqlite &database, std::string_view run_id)
{
    Statement query = database.prepare("SELECT status, requested, paused, open_phases, "
                                       "failed_phases FROM runs WHERE run_id = ?1");
    query.bind_all(run_id);
    if (!query.step()) {
        throw Error(ExitStatus::NoInput, "no run '" + std::string(run_id) + "'");
    }
    return {std::string(query.text(0)), std::string(query.text(1)), query.integer(2) != 0,
            query.integer(3), query.integer(4)};
}

bool has_open_attempts(Sqlite &database, std::string_view run_id)
{
    Statement query = database.prepare(
        "SELECT 1 FROM attempts WHERE run_id = ?1 AND ended_at IS NULL LIMIT 1");
    query.bind_all(run_id);
    return query.step();
}

std::optional<UnixMs> next_phase_due(Sqlite &database, std::string_view run_id,
                                     const Clock &clock)
{
    Statement query = database.prepare(
        "SELECT min(iif(waits_from > ?2, ?2, not_before)) FROM phases "
        "INDEXED BY phases_ready WHERE run_id = ?1 AND status = 'QUEUED' "
        "AND blockers = 0");
    query.bind_all(run_id, clock.now());
    return query.step() ? query.optional_integer(0) : std::nullopt;
}

std::chrono::milliseconds backoff_wait(const Backoff &backoff, int64_t failures,
                                       double spread)
{
    const double full =
        std::min(static_cast<double>(backoff.first.count()) *
                     std::pow(backoff.factor, static_cast<double>(failures - 1)),
                 static_cast<double>(backoff.longest.count()));
    return std::chrono::milliseconds(
        static_cast<int64_t>(full * (1.0 - backoff.jitter * spread)));
}

} // namespace ap
