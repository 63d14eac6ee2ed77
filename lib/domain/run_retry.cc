#include "base/text.hh"
#include "domain/budget_refusal.hh"
#include "domain/control.hh"
#include "domain/run.hh"

namespace ap {

namespace {

// Queues the failed phases (or one of them) again; returns how many.
int64_t queue_failed(Sqlite &database, std::string_view run_id,
                     const std::optional<std::string> &phase_id)
{
    database
        .prepare("UPDATE phases SET status = 'QUEUED', reason = NULL, failures = 0, "
                 "interruptions = 0, not_before = 0, waits_from = 0, ended_at = NULL "
                 "WHERE run_id = ?1 AND status = 'FAILED' "
                 "AND (?2 IS NULL OR phase_id = ?2)")
        .bind_all(run_id, phase_id)
        .run();
    return database.changes();
}

// Queues every skipped phase again that no phase still failed holds back, itself or
// through others. A skipped phase without a failed one before it (its run was aborted)
// would otherwise never be looked at again and the run count as a success without it.
int64_t queue_skipped(Sqlite &database, std::string_view run_id)
{
    database
        .prepare("WITH RECURSIVE held (id) AS ("
                 "  SELECT d.phase_id FROM phases f JOIN phase_dependencies d "
                 "    ON d.run_id = f.run_id AND d.needs_phase_id = f.phase_id "
                 "    WHERE f.run_id = ?1 AND f.status = 'FAILED' "
                 "  UNION SELECT p.phase_id FROM phases p JOIN tiers t "
                 "    ON t.run_id = p.run_id AND t.tier_id = p.tier_id "
                 "    WHERE p.run_id = ?1 AND t.ordinal > ("
                 "      SELECT min(ft.ordinal) FROM phases f JOIN tiers ft "
                 "      ON ft.run_id = f.run_id AND ft.tier_id = f.tier_id "
                 "      WHERE f.run_id = ?1 AND f.status = 'FAILED') "
                 "  UNION SELECT d.phase_id FROM held JOIN phase_dependencies d "
                 "    ON d.run_id = ?1 AND d.needs_phase_id = held.id) "
                 "UPDATE phases SET status = 'QUEUED', reason = NULL, failures = 0, "
                 "  interruptions = 0, not_before = 0, waits_from = 0, ended_at = NULL "
                 "WHERE run_id = ?1 AND status = 'SKIPPED' "
                 "AND phase_id NOT IN (SELECT id FROM held)")
        .bind_all(run_id)
        .run();
    return database.changes();
}

void recount(Sqlite &database, std::string_view run_id)
{
    database
        .prepare("UPDATE tiers SET open_phases = (SELECT count(*) FROM phases p "
                 "  WHERE p.run_id = ?1 AND p.tier_id = tiers.tier_id "
                 "  AND p.status NOT IN ('COMPLETE', 'FAILED', 'SKIPPED')), "
                 "failed_phases = (SELECT count(*) FROM phases p WHERE p.run_id = ?1 "
                 "  AND p.tier_id = tiers.tier_id AND p.status = 'FAILED') "
                 "WHERE run_id = ?1")
        .bind_all(run_id)
        .run();
    database
        .prepare("UPDATE runs SET (open_phases, failed_phases) = (SELECT "
                 "  sum(t.open_phases), sum(t.failed_phases) FROM tiers t "
                 "  WHERE t.run_id = ?1) WHERE run_id = ?1")
        .bind_all(run_id)
        .run();
    // Held phases are counted as well, so that what completes before them can always be
    // taken off.
    database
        .prepare("UPDATE phases SET blockers = (SELECT count(*) "
                 "  FROM phase_dependencies d JOIN phases n "
                 "  ON n.run_id = d.run_id AND n.phase_id = d.needs_phase_id "
                 "  WHERE d.run_id = ?1 AND d.phase_id = phases.phase_id "
                 "  AND n.status <> 'COMPLETE') "
                 "+ EXISTS (SELECT 1 FROM tiers own JOIN tiers e "
                 "  ON e.run_id = own.run_id AND e.ordinal < own.ordinal "
                 "  WHERE own.run_id = ?1 AND own.tier_id = phases.tier_id "
                 "  AND (e.open_phases > 0 OR e.failed_phases > 0)) "
                 "WHERE run_id = ?1 AND status IN ('QUEUED', 'FAILED', 'SKIPPED')")
        .bind_all(run_id)
        .run();
}

// A stop or abort that no executor has applied was meant for what was before the retry.
void drop_pending_ends(Sqlite &database, std::string_view run_id)
{
    const SystemClock clock;
    for (const Control &control : pending_controls(database, run_id)) {
        if (control.verb == ControlVerb::Stop || control.verb == ControlVerb::Abort) {
            apply_control(database, control.control_id, "superseded by a retry", clock);
        }
    }
}

[[noreturn]] void throw_nothing_to_retry(Sqlite &database, const RunSummary &run,
                                         const std::optional<std::string> &phase_id)
{
    if (!phase_id) {
        throw Error(ExitStatus::BadData, "run '" + run.run_id + "' (" + run.status +
                                             ") has no failed or skipped phase to retry");
    }
    for (const PhaseSummary &phase : list_phases(database, run.run_id)) {
        if (phase.phase_id == *phase_id) {
            throw Error(ExitStatus::BadData, "phase '" + *phase_id + "' of run '" +
                                                 run.run_id + "': expected it FAILED, " +
                                                 "it is " + phase.status);
        }
    }
    throw Error(ExitStatus::NoInput,
                "run '" + run.run_id + "' has no phase '" + printable(*phase_id) + "'");
}

} // namespace

int64_t retry_run(Sqlite &database, std::string_view run_id,
                  const std::optional<std::string> &phase_id)
{
    Transaction transaction(database);
    const RunSummary run = show_run(database, run_id);
    if (has_live_executor(database, run_id)) {
        throw Error(ExitStatus::TryAgain, "run '" + run.run_id +
                                              "' is being executed; stop it first or "
                                              "wait for its end");
    }
    int64_t queued = queue_failed(database, run_id, phase_id);
    if (queued > 0 || !phase_id) {
        queued += queue_skipped(database, run_id);
    }
    if (queued == 0) {
        throw_nothing_to_retry(database, run, phase_id);
    }
    recount(database, run_id);
    drop_pending_ends(database, run_id);
    forget_budget_refusals(database, run_id);
    database
        .prepare("UPDATE runs SET status = 'QUEUED', requested = NULL, reason = NULL, "
                 "ended_at = NULL WHERE run_id = ?")
        .bind_all(run_id)
        .run();
    transaction.commit();
    return queued;
}

} // namespace ap
