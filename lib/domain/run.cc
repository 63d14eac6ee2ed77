#include "domain/run.hh"

#include "base/text.hh"
#include "domain/process_row.hh"
#include "sys/path.hh"

#include <algorithm>
#include <set>

namespace ap {

namespace {

// Inserts a new run piece by piece, with statements that are prepared once: a plan may
// have thousands of phases.
class RunWriter
{
public:
    RunWriter(Sqlite &database, const Plan &plan, const TokenCaps &caps, UnixMs now)
        : plan_(plan)
        , caps_(caps)
        , now_(now)
        , tier_(database.prepare("INSERT INTO tiers (run_id, tier_id, ordinal, name, "
                                 "open_phases) VALUES (?, ?, ?, ?, ?)"))
        , phase_(database.prepare(
              "INSERT INTO phases (run_id, phase_id, tier_id, ordinal, phase_name, type, "
              "blockers, spec, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"))
        , dependency_(database.prepare(
              "INSERT INTO phase_dependencies (run_id, needs_phase_id, phase_id) "
              "VALUES (?, ?, ?)"))
        , budget_(database.prepare("INSERT INTO budgets (run_id, phase_id, token_cap, "
                                   "cost_cap_microusd) VALUES (?, ?, ?, ?)"))
    {
    }

    void add_tiers()
    {
        int64_t ordinal = 0;
        for (const TierSpec &tier : plan_.tiers) {
            tier_
                .bind_all(plan_.run_id, tier.id, ordinal, tier.name,
                          static_cast<int64_t>(tier.phases.size()))
                .run();
            for (const PhaseSpec &phase : tier.phases) {
                add_phase(phase, tier.id, ordinal > 0);
            }
            ordinal++;
        }
    }

    void add_dependencies()
    {
        for (const TierSpec &tier : plan_.tiers) {
            for (const PhaseSpec &phase : tier.phases) {
                for (const std::string &need : unique_needs(phase)) {
                    dependency_.bind_all(plan_.run_id, need, phase.id).run();
                }
            }
        }
    }

    void add_budget(std::string_view phase_id, int64_t token_cap,
                    const std::optional<int64_t> &cost_cap)
    {
        budget_.bind_all(plan_.run_id, phase_id, token_cap, cost_cap).run();
    }

private:
    static std::set<std::string> unique_needs(const PhaseSpec &phase)
    {
        return {phase.depends_on.begin(), phase.depends_on.end()};
    }

    void add_phase(const PhaseSpec &phase, const std::string &tier_id, bool has_barrier)
    {
        const auto blockers =
            static_cast<int64_t>(unique_needs(phase).size()) + (has_barrier ? 1 : 0);
        phase_
            .bind_all(plan_.run_id, phase.id, tier_id, next_ordinal_++, phase.name,
                      phase.type, blockers, phase_spec_to_json(phase).dump(), now_)
            .run();
        add_budget(phase.id, phase.token_cap.value_or(caps_.phase_cap(phase.type)),
                   phase.cost_cap_microusd);
    }

    const Plan &plan_;
    const TokenCaps &caps_;
    UnixMs now_;
    Statement tier_;
    Statement phase_;
    Statement dependency_;
    Statement budget_;
    int64_t next_ordinal_ = 0;
};

bool run_exists(Sqlite &database, std::string_view run_id)
{
    Statement found = database.prepare("SELECT 1 FROM runs WHERE run_id = ?");
    return found.bind(1, run_id).step();
}

void insert_run(Sqlite &database, const Plan &plan, std::string_view text, UnixMs now)
{
    size_t phases = 0;
    for (const TierSpec &tier : plan.tiers) {
        phases += tier.phases.size();
    }
    database
        .prepare("INSERT INTO runs (run_id, goal, token_cap_from_plan, phases, "
                 "open_phases, plan, created_at) VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6)")
        .bind_all(plan.run_id, plan.goal, plan.token_cap ? 1 : 0,
                  static_cast<int64_t>(phases), text, now)
        .run();
}

// The columns that read_summary() expects, of runs r with its budget b.
constexpr std::string_view summary_columns =
    "SELECT r.run_id, r.goal, r.status, r.reason, r.paused, r.created_at, r.started_at, "
    "r.ended_at, r.failed_phases, r.phases, r.complete_phases, "
    "b.tokens_used, b.tokens_reserved, b.token_cap, b.cost_used_microusd "
    "FROM runs r LEFT JOIN budgets b ON b.run_id = r.run_id AND b.phase_id = '' ";

RunSummary read_summary(const Statement &row)
{
    RunSummary run;
    run.run_id = row.text(0);
    run.goal = row.text(1);
    run.status = row.text(2);
    run.reason = row.optional_text(3);
    run.paused = row.integer(4) != 0;
    run.created_at = row.integer(5);
    run.started_at = row.optional_integer(6);
    run.ended_at = row.optional_integer(7);
    run.phases_failed = row.integer(8);
    run.phases = row.integer(9);
    run.phases_complete = row.integer(10);
    run.tokens_used = row.integer(11);
    run.tokens_reserved = row.integer(12);
    run.token_cap = row.integer(13);
    run.cost_microusd = row.integer(14);
    return run;
}

constexpr std::string_view phase_columns =
    "SELECT p.phase_id, p.phase_name, p.tier_id, p.type, p.status, p.reason, "
    "p.attempts_made, b.tokens_used, b.token_cap, p.started_at, p.ended_at "
    "FROM phases p LEFT JOIN budgets b "
    "ON b.run_id = p.run_id AND b.phase_id = p.phase_id ";

PhaseSummary read_phase(const Statement &row)
{
    return {std::string(row.text(0)), std::string(row.text(1)), std::string(row.text(2)),
            std::string(row.text(3)), std::string(row.text(4)), row.optional_text(5),
            row.integer(6),           row.integer(7),           row.integer(8),
            row.optional_integer(9),  row.optional_integer(10)};
}

std::vector<PhaseSummary> read_phases(Statement rows)
{
    std::vector<PhaseSummary> phases;
    while (rows.step()) {
        phases.push_back(read_phase(rows));
    }
    return phases;
}

// A misspelt status would look like there being no such runs.
void require_status(std::string_view status)
{
    static constexpr std::string_view known[] = {
        "QUEUED",       "EXECUTING",   "STOPPED",
        "DONE_SUCCESS", "DONE_FAILED", "DONE_FAILED_BUDGET_EXHAUSTED",
        "DONE_ABORTED"};
    if (std::find(std::begin(known), std::end(known), status) != std::end(known)) {
        return;
    }
    const auto like = nearest(status, known);
    throw UsageError("no run status '" + printable(status) + "'" +
                     (like ? "; did you mean '" + std::string(*like) + "'?" : ""));
}

[[noreturn]] void throw_no_run(Sqlite &database, std::string_view run_id)
{
    // The newest thousand are enough to find a typing error among.
    Statement ids = database.prepare(
        "SELECT run_id FROM runs ORDER BY created_at DESC, run_id LIMIT 1000");
    std::vector<std::string> known;
    while (ids.step()) {
        known.emplace_back(ids.text(0));
    }
    const std::vector<std::string_view> candidates(known.begin(), known.end());
    std::string message = "no run '" + printable(run_id) + "'";
    if (const auto like = nearest(run_id, candidates)) {
        message += "; did you mean '" + std::string(*like) + "'?";
    }
    throw Error(ExitStatus::NoInput, message);
}

Json instant(const std::optional<UnixMs> &at)
{
    return at ? Json::string(format_rfc3339(*at)) : Json::null();
}

} // namespace

void create_run(Sqlite &database, const Plan &plan, std::string_view text,
                const TokenCaps &caps, const Clock &clock)
{
    in_transaction(database, [&] {
        if (run_exists(database, plan.run_id)) {
            throw Error(ExitStatus::BadData,
                        "run id: expected a new one, got '" + plan.run_id +
                            "', which exists; choose another or delete that run");
        }
        insert_run(database, plan, text, clock.now());
        RunWriter writer(database, plan, caps, clock.now());
        writer.add_budget("", plan.token_cap.value_or(caps.run), plan.cost_cap_microusd);
        writer.add_tiers();
        writer.add_dependencies();
    });
}

std::vector<RunSummary> list_runs(Sqlite &database, const RunFilter &filter)
{
    if (filter.status) {
        require_status(*filter.status);
    }
    // Each case as text of its own, so that an index serves it and no history is read.
    std::string sql(summary_columns);
    sql += filter.status ? "WHERE r.status = ?1 " : "WHERE ?1 IS NULL ";
    if (filter.after) {
        sql += "AND r.created_at <= ?3 AND (r.created_at < ?3 OR r.run_id > ?4) ";
    }
    Statement rows =
        database.prepare(sql + "ORDER BY r.created_at DESC, r.run_id LIMIT ?2");
    rows.bind(1, filter.status).bind(2, filter.limit);
    if (filter.after) {
        rows.bind(3, filter.after->created_at).bind(4, filter.after->run_id);
    }
    std::vector<RunSummary> runs;
    while (rows.step()) {
        runs.push_back(read_summary(rows));
    }
    return runs;
}

RunSummary show_run(Sqlite &database, std::string_view run_id)
{
    Statement row = database.prepare(std::string(summary_columns) + "WHERE r.run_id = ?");
    if (!row.bind(1, run_id).step()) {
        throw_no_run(database, run_id);
    }
    return read_summary(row);
}

std::vector<PhaseSummary> list_phases(Sqlite &database, std::string_view run_id)
{
    Statement rows = database.prepare(std::string(phase_columns) +
                                      "WHERE p.run_id = ? ORDER BY p.ordinal");
    rows.bind(1, run_id);
    return read_phases(std::move(rows));
}

std::vector<PhaseSummary> list_failed_phases(Sqlite &database, std::string_view run_id,
                                             int64_t limit)
{
    Statement rows = database.prepare(
        std::string(phase_columns) +
        "WHERE p.run_id = ? AND p.status = 'FAILED' ORDER BY p.ordinal LIMIT ?");
    rows.bind_all(run_id, limit);
    return read_phases(std::move(rows));
}

std::vector<ExecutorSummary> list_executors(Sqlite &database, std::string_view run_id)
{
    Statement rows = database.prepare("SELECT pid, jobs, started_at FROM executors "
                                      "WHERE run_id = ? AND ended_at IS NULL "
                                      "ORDER BY executor_id");
    rows.bind(1, run_id);
    std::vector<ExecutorSummary> executors;
    while (rows.step()) {
        executors.push_back({rows.integer(0), rows.integer(1), rows.integer(2)});
    }
    return executors;
}

PhaseSummary show_phase(Sqlite &database, std::string_view run_id,
                        std::string_view phase_id)
{
    Statement row = database.prepare(std::string(phase_columns) +
                                     "WHERE p.run_id = ? AND p.phase_id = ?");
    if (!row.bind_all(run_id, phase_id).step()) {
        const RunSummary run = show_run(database, run_id);
        throw Error(ExitStatus::NoInput, "run '" + run.run_id + "' has no phase '" +
                                             printable(phase_id) + "'");
    }
    return read_phase(row);
}

Json run_to_json(const RunSummary &run)
{
    return Json::object()
        .set("run_id", run.run_id)
        .set("goal", run.goal)
        .set("status", run.status)
        .set("reason", run.reason)
        .set("paused", run.paused)
        .set("phases", run.phases)
        .set("phases_complete", run.phases_complete)
        .set("phases_failed", run.phases_failed)
        .set("tokens_used", run.tokens_used)
        .set("tokens_reserved", run.tokens_reserved)
        .set("token_cap", run.token_cap)
        .set("cost_microusd", run.cost_microusd)
        .set("created_at", instant(run.created_at))
        .set("started_at", instant(run.started_at))
        .set("ended_at", instant(run.ended_at));
}

Json phase_to_json(const PhaseSummary &phase)
{
    return Json::object()
        .set("phase_id", phase.phase_id)
        .set("phase_name", phase.phase_name)
        .set("tier_id", phase.tier_id)
        .set("type", phase.type)
        .set("status", phase.status)
        .set("reason", phase.reason)
        .set("attempts", phase.attempts)
        .set("tokens_used", phase.tokens_used)
        .set("token_cap", phase.token_cap)
        .set("started_at", instant(phase.started_at))
        .set("ended_at", instant(phase.ended_at));
}

bool has_live_executor(Sqlite &database, std::string_view run_id)
{
    Statement rows = database.prepare("SELECT pid, pid_started, boot_id FROM executors "
                                      "WHERE run_id = ? AND ended_at IS NULL");
    rows.bind(1, run_id);
    while (rows.step()) {
        if (is_alive(read_process(rows, 0))) {
            return true;
        }
    }
    return false;
}

} // namespace ap
