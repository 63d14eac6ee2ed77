#pragma once

#include "base/clock.hh"
#include "domain/gate_access.hh"
#include "domain/plan.hh"
#include "wrap/sqlite.hh"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// The right to execute one phase once. The database holds at most one open attempt per
/// phase (a unique index), so a lease is exclusive whoever asks.
struct Lease
{
    std::string run_id;
    PhaseSpec phase;
    int64_t attempt_id = 0;
    int64_t number = 0;   ///< of the attempt, from 1
    int64_t failures = 0; ///< of earlier attempts
    std::string token;    ///< AUTOPACK_LEASE of everything the attempt starts
    UnixMs started_at = 0;
    std::optional<GateAccess> gate; ///< the gateway that its calls go through
};

/// How an attempt ended; the value of attempts.status.
enum class AttemptStatus {
    Succeeded,
    Failed,
    TimedOut,
    IdleTimedOut,
    BudgetExhausted,
    Aborted,
    Interrupted,
};

std::string_view attempt_status_name(AttemptStatus status);

/// What becomes of a phase whose attempt has not succeeded, if what it executed can tell.
enum class PhaseNext {
    Retry, ///< again, as long as attempts are left
    Fail,  ///< no attempt can help
    Skip,  ///< given up without failing the run
    Wait,  ///< again, without a failure counted, at a time or when it is woken
};

/// What an attempt came to.
struct AttemptOutcome
{
    AttemptStatus status = AttemptStatus::Failed;
    std::string reason; ///< empty for success
    std::optional<int> exit_code;
    std::optional<int> signal;
    int64_t duration_ms = 0;
    int64_t cpu_ms = 0;
    int64_t max_rss_kib = 0;
    PhaseNext next = PhaseNext::Retry;
    std::optional<UnixMs> wait_until{}; ///< with PhaseNext::Wait
};

/// What became of the phase when its attempt ended.
struct PhaseVerdict
{
    std::string status;             ///< COMPLETE, FAILED, SKIPPED or QUEUED (again)
    std::optional<UnixMs> retry_at; ///< QUEUED: when it may start again
};

/// Takes the first phase of the run that may start now, in the plan's order: queued,
/// nothing it waits for, its time come. The phase becomes EXECUTING and an attempt is
/// opened. Call inside a transaction; no process may be started before it is committed.
std::optional<Lease> lease_next_phase(Sqlite &database, std::string_view run_id,
                                      int64_t executor_id, const Clock &clock);

/// Gives a lease back unused, until `not_before`; the attempt leaves no trace.
void return_lease(Sqlite &database, const Lease &lease, UnixMs not_before,
                  std::string_view reason, const Clock &clock);

/// The lease of an open attempt, for whoever takes it up from a dead executor; without a
/// gateway's key, which only the attempt has.
Lease lease_of_attempt(Sqlite &database, int64_t attempt_id);

/// The command has succeeded and its checks begin: phase and attempt become CI_RUNNING.
void begin_checks(Sqlite &database, const Lease &lease);

/// Ends the attempt and decides about the phase: complete; failed for good (budget,
/// abort, attempts used up, too many interruptions) or skipped; or queued again with its
/// backoff (`spread`, 0 to 1, is the random part), at once after an interruption, or at
/// the time the outcome names. Call inside a transaction.
PhaseVerdict finish_attempt(Sqlite &database, const Lease &lease,
                            const AttemptOutcome &outcome, double spread,
                            const Clock &clock);

/// Ends a phase as COMPLETE, FAILED or SKIPPED and carries that through the run:
/// counters, what waits for it, the next tier; a failure skips what depends on it and all
/// later tiers. Ends the run when it was the last open phase. Joins the caller's
/// transaction or makes one.
void end_phase(Sqlite &database, std::string_view run_id, std::string_view phase_id,
               std::string_view status, std::string_view reason, const Clock &clock);

/// Ends a run before its time: open attempts become ABORTED, executing phases FAILED,
/// queued ones SKIPPED, all with `reason`; the run becomes DONE_ABORTED, or
/// DONE_FAILED_BUDGET_EXHAUSTED if its budget is exceeded. No process may be left of it.
/// Joins the caller's transaction or makes one.
void abort_run(Sqlite &database, std::string_view run_id, std::string_view reason,
               const Clock &clock);

/// Where a run stands, for an executor that decides whether to go on. One key look-up.
struct RunStanding
{
    std::string status;
    std::string requested; ///< "", "stop" or "abort"
    bool paused = false;
    int64_t open_phases = 0;
    int64_t failed_phases = 0;

    bool ended() const noexcept { return status.starts_with("DONE"); }
};

/// Throws Error(NoInput) if there is no such run.
RunStanding run_standing(Sqlite &database, std::string_view run_id);

/// Whether the run has open attempts, of whatever executor.
bool has_open_attempts(Sqlite &database, std::string_view run_id);

/// When the first queued phase that only waits for its time may start (possibly in the
/// past); nothing if there is none.
std::optional<UnixMs> next_phase_due(Sqlite &database, std::string_view run_id,
                                     const Clock &clock);

/// The wait before the attempt after `failures` failures (1 or more).
std::chrono::milliseconds backoff_wait(const Backoff &backoff, int64_t failures,
                                       double spread);

} // namespace ap
