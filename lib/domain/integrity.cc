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
        SELECT 'budget of run ' || b.run_id || ' phase "' || b.phase_id || '" says '
            || b.tokens_used || ' tokens used, its usage sums to ' || coalesce(sum(
            u.prompt_tokens + u.completion_tokens), 0)
        FROM budgets b LEFT JOIN llm_usage_events u ON u.run_id = b.run_id
            AND (b.phase_id = '' OR u.phase_id = b.phase_id)
        GROUP BY b.run_id, b.phase_id
        HAVING b.tokens_used <> coalesce(sum(u.prompt_tokens + u.completion_tokens), 0)
            OR b.cost_used_microusd <> coalesce(sum(u.cost_microusd), 0))sql"},
    {"budget-reserved", R"sql(
        SELECT 'budget of run ' || b.run_id || ' phase "' || b.phase_id || '" says '
            || b.tokens_reserved || ' tokens reserved, its open reservations sum to '
            || coalesce(sum(r.tokens), 0)
        FROM budgets b LEFT JOIN budget_reservations r ON r.run_id = b.run_id
            AND r.status = 'OPEN' AND (b.phase_id = '' OR r.phase_id = b.phase_id)
        GROUP BY b.run_id, b.phase_id
        HAVING b.tokens_reserved <> coalesce(sum(r.tokens), 0)
            OR b.cost_reserved_microusd <> coalesce(sum(r.cost_microusd), 0))sql"},
    {"run-counters", R"sql(
        SELECT 'run ' || r.run_id || ' counts ' || r.open_phases || ' open and '
            || r.failed_phases || ' failed phases' FROM runs r
        WHERE r.open_phases <> (SELECT count(*) FROM phases p WHERE p.run_id = r.run_id
                AND p.status NOT IN ('COMPLETE', 'FAILED', 'SKIPPED'))
            OR r.failed_phases <> (SELECT count(*) FROM phases p
                WHERE p.run_id = r.run_id AND p.status = 'FAILED'))sql"},
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
    {"ended-runs", R"sql(
        SELECT 'run ' || run_id || ' is ' || status || ' with ' || open_phases
            || ' open phases' FROM runs
        WHERE status LIKE 'DONE%' AND open_phases > 0
            OR status NOT LIKE 'DONE%' AND open_phases = 0)sql"},
    {"run-events", R"sql(
        SELECT 'run ' || r.run_id || ' is ' || r.status || ', its last event says '
            || coalesce(json_extract(e.detail, '$.to'), json_extract(e.detail, '$.status'))
        FROM runs r JOIN events e ON e.event_id = (SELECT max(event_id) FROM events x
            WHERE x.run_id = r.run_id AND x.kind IN ('run.created', 'run.status'))
        WHERE r.status <> coalesce(json_extract(e.detail, '$.to'),
                                   json_extract(e.detail, '$.status')))sql"},
    {"phase-events", R"sql(
        WITH last (run_id, phase_id, event_id) AS (
            SELECT run_id, phase_id, max(event_id) FROM events
            WHERE kind = 'phase.status' AND event_id > coalesce((SELECT max(c.event_id)
                FROM events c WHERE c.kind = 'run.created'
                AND c.run_id = events.run_id), 0)
            GROUP BY run_id, phase_id)
        SELECT 'phase ' || p.phase_id || ' of run ' || p.run_id || ' is ' || p.status
            || ', its last event says ' || coalesce(json_extract(e.detail, '$.to'),
                                                    'nothing')
        FROM phases p LEFT JOIN last USING (run_id, phase_id)
            LEFT JOIN events e ON e.event_id = last.event_id
        WHERE p.status <> coalesce(json_extract(e.detail, '$.to'), 'QUEUED'))sql"},
};

void collect(Sqlite &database, std::string_view rule, std::string_view sql,
             std::vector<Finding> &findings)
{
    Statement query = database.prepare(sql);
    while (query.step()) {
        findings.push_back({std::string(rule), std::string(query.text(0))});
    }
}

} // namespace

std::vector<Finding> check_integrity(Sqlite &database)
{
    std::vector<Finding> findings;
    collect(database, "integrity",
            "SELECT integrity_check FROM pragma_integrity_check "
            "WHERE integrity_check <> 'ok'",
            findings);
    if (!findings.empty()) {
        return findings; // what a damaged file says about the rest is worth nothing
    }
    collect(database, "foreign-key",
            "SELECT 'a row of ' || \"table\" || ' refers to a missing row of ' || parent "
            "FROM pragma_foreign_key_check",
            findings);
    for (const Rule &rule : rules) {
        collect(database, rule.name, rule.sql, findings);
    }
    return findings;
}

} // namespace ap
