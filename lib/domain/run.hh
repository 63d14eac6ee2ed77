#pragma once

#include "base/clock.hh"
#include "domain/plan.hh"
#include "domain/state.hh"
#include "wrap/json.hh"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// Records a run with its tiers, phases, dependencies and budgets in one transaction.
/// `text` is the plan as the user wrote it and is kept. Throws Error(BadData) if a run of
/// that id exists. Joins the caller's transaction or makes one.
void create_run(Sqlite &database, const Plan &plan, std::string_view text,
                const TokenCaps &caps, const Clock &clock);

/// The same in the state's database, and first removes what the crash of a deletion may
/// have left in the directory of an earlier run of that id.
void create_run(State &state, const Plan &plan, std::string_view text,
                const TokenCaps &caps, const Clock &clock);

/// A run as a list shows it.
struct RunSummary
{
    std::string run_id;
    std::string goal;
    std::string status;
    std::optional<std::string> reason;
    bool paused = false;
    int64_t phases = 0;
    int64_t phases_complete = 0;
    int64_t phases_failed = 0;
    int64_t tokens_used = 0;
    int64_t tokens_reserved = 0;
    int64_t token_cap = 0;
    int64_t cost_microusd = 0;
    UnixMs created_at = 0;
    std::optional<UnixMs> started_at;
    std::optional<UnixMs> ended_at;
};

/// A phase as ap-run show prints it.
struct PhaseSummary
{
    std::string phase_id;
    std::string phase_name;
    std::string tier_id;
    std::string type;
    std::string status;
    std::optional<std::string> reason;
    int64_t attempts = 0;
    int64_t tokens_used = 0;
    int64_t token_cap = 0;
    std::optional<UnixMs> started_at;
    std::optional<UnixMs> ended_at;
};

/// A place in the list of runs: after the run of this moment and id.
struct RunCursor
{
    UnixMs created_at = 0;
    std::string run_id;
};

/// Which runs to list, newest first.
struct RunFilter
{
    std::optional<std::string> status;
    int64_t limit = 50;
    std::optional<RunCursor> after{}; ///< go on from there
};

/// Throws UsageError for a status that no run can have.
std::vector<RunSummary> list_runs(Sqlite &database, const RunFilter &filter);

/// Throws Error(NoInput) "no run 'x'", naming the nearest run if there is a like one.
RunSummary show_run(Sqlite &database, std::string_view run_id);

/// The run's phases in the plan's order.
std::vector<PhaseSummary> list_phases(Sqlite &database, std::string_view run_id);

/// Those of the run's phases that failed, at most `limit`, in the plan's order.
std::vector<PhaseSummary> list_failed_phases(Sqlite &database, std::string_view run_id,
                                             int64_t limit);

/// An executor that has the run now.
struct ExecutorSummary
{
    int64_t pid = 0;
    int64_t jobs = 0;
    UnixMs started_at = 0;
};

/// The run's executors that have not ended, the oldest first.
std::vector<ExecutorSummary> list_executors(Sqlite &database, std::string_view run_id);

/// Throws Error(NoInput) if there is no such phase, or run.
PhaseSummary show_phase(Sqlite &database, std::string_view run_id,
                        std::string_view phase_id);

Json run_to_json(const RunSummary &run);
Json phase_to_json(const PhaseSummary &phase);

/// Queues the run's failed phases again (or only `phase_id`), with those that were
/// skipped because of them and their attempts' budgets kept, and returns how many were
/// queued. The run goes back to QUEUED. Throws Error(TryAgain) while an executor runs it,
/// Error(BadData) if there is nothing to retry.
int64_t retry_run(Sqlite &database, std::string_view run_id,
                  const std::optional<std::string> &phase_id);

/// Removes the run's records, commits that, and then removes its directory. Events stay.
/// Throws Error(TryAgain) while an executor runs it.
void delete_run(State &state, std::string_view run_id);

/// Removes the directories of runs whose deletion was cut short after its commit, and
/// returns how many. Directories that never were those of a run are left alone.
int64_t remove_files_of_deleted_runs(State &state);

/// Everything recorded of the run as one JSON object: run, plan, tiers, phases, attempts,
/// usage, reservations, controls, events.
Json export_run(Sqlite &database, std::string_view run_id);

/// Whether a living executor has the run.
bool has_live_executor(Sqlite &database, std::string_view run_id);

} // namespace ap
