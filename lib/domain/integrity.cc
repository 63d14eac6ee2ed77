#include "domain/integrity.hh"

namespace ap {

namespace {

// A rule of the suite: a query that returns one text column for each row that breaks it.
struct Rule
{
    std::string_view name;
    std::string_view sql;
};

constexpr Rule rules[] = {
    {"budget-used", R"sql(
        WITH phase_sums (run_id, phase_id, tokens, cost) AS (
            SELECT run_id, phase_id, sum(prompt_tokens + completion_tokens),
                sum(cost_microusd) FROM llm_usage_events GROUP BY run_id, phase_id),
        sums (run_id, phase_id, tokens, cost) AS (
            SELECT * FROM phase_sums WHERE phase_id <> '' UNION ALL
            SELECT run_id, '', sum(tokens), sum(cost) FROM phase_sums GROUP BY run_id)
        SELECT 'budget of run ' || b.run_id || ' phase "' || b.phase_id || '" says '
            || b.tokens_used || ' tokens and ' || b.cost_used_microusd
            || ' micro-USD used, its usage sums to ' || coalesce(s.tokens, 0) || ' and '
            || coalesce(s.cost, 0)
        FROM budgets b LEFT JOIN sums s USING (run_id, phase_id)
        WHERE b.tokens_used <> coalesce(s.tokens, 0)
            OR b.cost_used_microusd <> coalesce(s.cost, 0))sql"},
    {"usage-reconciled", R"sql(
        SELECT 'call ' || r.usage_id || ' was reconciled as ' || r.prompt_tokens
            || ' + ' || r.completion_tokens || ' tokens, its usage says '
            || u.prompt_tokens || ' + ' || u.completion_tokens
        FROM usage_reconciliations r JOIN llm_usage_events u USING (usage_id)
        WHERE u.estimated <> 0 OR u.prompt_tokens <> r.prompt_tokens
            OR u.completion_tokens <> r.completion_tokens
            OR u.cost_microusd <> r.cost_microusd)sql"},
    {"usage-models", R"sql(
        WITH sums (run_id, phase_id, model, calls, tokens, cost) AS (
            SELECT run_id, phase_id, model, count(*),
                sum(prompt_tokens + completion_tokens), sum(cost_microusd)
            FROM llm_usage_events GROUP BY 1, 2, 3)
        SELECT 'usage of model "' || m.model || '" in run ' || m.run_id || ' phase "'
            || m.phase_id || '" is summed as ' || m.prompt_tokens + m.completion_tokens
            || ' tokens in ' || m.calls || ' calls, its events say '
            || coalesce(s.tokens, 0) || ' in ' || coalesce(s.calls, 0)
        FROM usage_models m LEFT JOIN sums s USING (run_id, phase_id, model)
        WHERE m.calls <> coalesce(s.calls, 0)
            OR m.prompt_tokens + m.completion_tokens <> coalesce(s.tokens, 0)
            OR m.cost_microusd <> coalesce(s.cost, 0))sql"},
    {"usage-hours", R"sql(
        WITH sums (hour_at, model, tokens) AS (
            SELECT created_at - created_at % 3600000, model,
                sum(prompt_tokens + completion_tokens)
            FROM llm_usage_events GROUP BY 1, 2)
        SELECT 'usage of model "' || s.model || '" in the hour ' || s.hour_at
            || ' is summed as ' || coalesce(h.prompt_tokens + h.completion_tokens, 0)
            || ' tokens, its events say ' || s.tokens
        FROM sums s LEFT JOIN usage_hours h USING (hour_at, model)
        WHERE coalesce(h.prompt_tokens + h.completion_tokens, 0) < s.tokens)sql"},
    {"budget-reserved", R"sql(
        WITH phase_sums (run_id, phase_id, tokens, cost) AS (
            SELECT run_id, phase_id, sum(tokens), sum(cost_microusd)
            FROM budget_reservations WHERE status = 'OPEN' GROUP BY run_id, phase_id),
        sums (run_id, phase_id, tokens, cost) AS (
            SELECT * FROM phase_sums WHERE phase_id <> '' UNION ALL
            SELECT run_id, '', sum(tokens), sum(cost) FROM phase_sums GROUP BY run_id)
        SELECT 'budget of run ' || b.run_id || ' phase "' || b.phase_id || '" says '
            || b.tokens_reserved || ' tokens and ' || b.cost_reserved_microusd
            || ' micro-USD reserved, its open reservations sum to '
            || coalesce(s.tokens, 0) || ' and ' || coalesce(s.cost, 0)
        FROM budgets b LEFT JOIN sums s USING (run_id, phase_id)
        WHERE b.tokens_reserved <> coalesce(s.tokens, 0)
            OR b.cost_reserved_microusd <> coalesce(s.cost, 0))sql"},
    {"gateway-tranches", R"sql(
        SELECT 'reservation ' || r.reservation_id || ' is a tranche of '
            || coalesce('gateway ' || g.gateway_id || ', which has ended', 'no gateway')
            || ' and still open'
        FROM budget_reservations r LEFT JOIN gateways g USING (gateway_id)
        WHERE r.status = 'OPEN' AND r.purpose = 'gateway tranche'
            AND (g.gateway_id IS NULL OR g.ended_at IS NOT NULL))sql"},
    {"day-usage", R"sql(
        WITH sums (day, tokens, cost) AS (
            SELECT date(created_at / 1000, 'unixepoch'),
                sum(prompt_tokens + completion_tokens), sum(cost_microusd)
            FROM llm_usage_events GROUP BY 1)
        SELECT 'day ' || s.day || ' counts ' || coalesce(d.tokens_used, 0)
            || ' tokens and ' || coalesce(d.cost_used_microusd, 0)
            || ' micro-USD, its usage sums to ' || s.tokens || ' and ' || s.cost
        FROM sums s LEFT JOIN day_usage d USING (day)
        WHERE coalesce(d.tokens_used, 0) < s.tokens
            OR coalesce(d.cost_used_microusd, 0) < s.cost)sql"},
    {"run-counters", R"sql(
        SELECT 'run ' || r.run_id || ' counts ' || r.open_phases || ' open and '
            || r.failed_phases || ' failed of ' || r.phases || ' phases, '
            || r.complete_phases || ' complete'
        FROM runs r LEFT JOIN phases p ON p.run_id = r.run_id
        GROUP BY r.run_id
        HAVING r.phases <> count(p.run_id)
            OR r.open_phases <> coalesce(sum(
                p.status NOT IN ('COMPLETE', 'FAILED', 'SKIPPED')), 0)
            OR r.failed_phases <> coalesce(sum(p.status = 'FAILED'), 0)
            OR r.complete_phases <> coalesce(sum(p.status = 'COMPLETE'), 0))sql"},
    {"tier-counters", R"sql(
        SELECT 'tier ' || t.tier_id || ' of run ' || t.run_id || ' counts '
            || t.open_phases || ' open and ' || t.failed_phases || ' failed phases'
        FROM tiers t LEFT JOIN phases p
            ON p.run_id = t.run_id AND p.tier_id = t.tier_id
        GROUP BY t.run_id, t.tier_id
        HAVING t.open_phases <> coalesce(sum(
                p.status NOT IN ('COMPLETE', 'FAILED', 'SKIPPED')), 0)
            OR t.failed_phases <> coalesce(sum(p.status = 'FAILED'), 0))sql"},
    {"blockers", R"sql(
        SELECT 'phase ' || p.phase_id || ' of run ' || p.run_id || ' counts '
            || p.blockers || ' blockers'
        FROM phases p JOIN tiers t ON t.run_id = p.run_id AND t.tier_id = p.tier_id
        WHERE p.status = 'QUEUED' AND p.blockers <>
            (SELECT count(*) FROM phase_dependencies d JOIN phases n
                ON n.run_id = d.run_id AND n.phase_id = d.needs_phase_id
                WHERE d.run_id = p.run_id AND d.phase_id = p.phase_id
                AND n.status <> 'COMPLETE')
            + EXISTS (SELECT 1 FROM tiers e WHERE e.run_id = t.run_id
                AND e.ordinal < t.ordinal
                AND (e.open_phases > 0 OR e.failed_phases > 0)))sql"},
    {"open-attempts", R"sql(
        SELECT 'phase ' || p.phase_id || ' of run ' || p.run_id || ' is ' || p.status
            || ' with ' || count(a.attempt_id) || ' open attempts'
        FROM phases p LEFT JOIN attempts a ON a.run_id = p.run_id
            AND a.phase_id = p.phase_id AND a.ended_at IS NULL
        GROUP BY p.run_id, p.phase_id
        HAVING count(a.attempt_id) <> (p.status IN ('EXECUTING', 'GATE', 'CI_RUNNING'))
        )sql"},
    {"attempt-status", R"sql(
        SELECT 'attempt ' || number || ' of run ' || run_id || ' phase ' || phase_id
            || ' is ' || status || iif(ended_at IS NULL, ' without', ' with') || ' an end'
        FROM attempts
        WHERE (ended_at IS NULL) <> (status IN ('EXECUTING', 'CI_RUNNING')))sql"},
    {"ended-runs", R"sql(
        SELECT 'run ' || run_id || ' is ' || status || ' with ' || open_phases
            || ' open phases' FROM runs
        WHERE status LIKE 'DONE%' AND open_phases > 0
            OR status NOT LIKE 'DONE%' AND open_phases = 0)sql"},
    {"ended-attempts", R"sql(
        SELECT 'run ' || r.run_id || ' is ' || r.status || ', attempt ' || a.number
            || ' of its phase ' || a.phase_id || ' has no end'
        FROM runs r JOIN attempts a USING (run_id)
        WHERE r.status LIKE 'DONE%' AND a.ended_at IS NULL)sql"},
    {"refused-attempts", R"sql(
        SELECT 'the refusal of attempt ' || f.attempt_id || ' names run ' || f.run_id
            || ', the attempt is of run ' || a.run_id
        FROM budget_refusals f JOIN attempts a USING (attempt_id)
        WHERE f.run_id <> a.run_id)sql"},
    {"event-detail", R"sql(
        SELECT 'detail of event ' || event_id || ' (' || kind || ') is no JSON object'
        FROM events WHERE NOT json_valid(detail)
            OR iif(json_valid(detail), json_type(detail), '') <> 'object')sql"},
    {"run-events", R"sql(
        WITH last (run_id, event_id) AS (
            SELECT run_id, max(event_id) FROM events
            WHERE kind IN ('run.created', 'run.status') GROUP BY run_id),
        said (run_id, status) AS (
            SELECT last.run_id, iif(json_valid(detail), coalesce(
                json_extract(detail, '$.to'), json_extract(detail, '$.status')), NULL)
            FROM last JOIN events USING (event_id))
        SELECT 'run ' || r.run_id || ' is ' || r.status || ', its last event says '
            || coalesce(said.status, 'nothing')
        FROM runs r LEFT JOIN said USING (run_id)
        WHERE r.status IS NOT said.status)sql"},
    {"phase-events", R"sql(
        WITH created (run_id, event_id) AS (
            SELECT run_id, max(event_id) FROM events
            WHERE kind = 'run.created' GROUP BY run_id),
        last (run_id, phase_id, event_id) AS (
            SELECT e.run_id, e.phase_id, max(e.event_id)
            FROM events e LEFT JOIN created c USING (run_id)
            WHERE e.kind = 'phase.status' AND e.event_id > coalesce(c.event_id, 0)
            GROUP BY e.run_id, e.phase_id),
        said (run_id, phase_id, status) AS (
            SELECT last.run_id, last.phase_id,
                iif(json_valid(detail), json_extract(detail, '$.to'), 'nonsense')
            FROM last JOIN events USING (event_id))
        SELECT 'phase ' || p.phase_id || ' of run ' || p.run_id || ' is ' || p.status
            || ', its last event says ' || coalesce(said.status, 'nothing')
        FROM phases p LEFT JOIN said USING (run_id, phase_id)
        WHERE p.status <> coalesce(said.status, 'QUEUED'))sql"},
};

void collect(Sqlite &database, std::string_view rule, std::string_view sql,
             std::vector<Finding> &findings)
{
    Statement query = database.prepare(sql);
    while (query.step()) {
        findings.push_back({std::string(rule), std::string(query.text(0))});
    }
}

void check_all(Sqlite &database, std::vector<Finding> &findings)
{
    collect(database, "integrity",
            "SELECT integrity_check FROM pragma_integrity_check "
            "WHERE integrity_check <> 'ok'",
            findings);
    if (!findings.empty()) {
        return; // what a damaged file says about the rest is worth nothing
    }
    collect(database, "foreign-key",
            "SELECT 'a row of ' || \"table\" || coalesce(' (rowid ' || rowid || ')', '') "
            "|| ' refers to a missing row of ' || parent FROM pragma_foreign_key_check",
            findings);
    for (const Rule &rule : rules) {
        collect(database, rule.name, rule.sql, findings);
    }
}

} // namespace

std::vector<Finding> check_integrity(Sqlite &database)
{
    std::vector<Finding> findings;
    try {
        check_all(database, findings);
    } catch (const SqliteError &error) {
        // Some damage ends integrity_check itself, or shows in a later query only.
        if (!error.is_corrupt()) {
            throw;
        }
        findings.push_back({"integrity", error.what()});
    }
    return findings;
}

} // namespace ap
