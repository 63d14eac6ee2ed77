#pragma once

#include <string_view>

namespace ap::migrations_sql {

// The first schema. Totals and the event log are kept by triggers, so that they hold
// whatever writes the tables, the sqlite3 shell included, and cost the same however long
// the history is.
inline constexpr std::string_view first_schema = R"sql(
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    goal TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT 'QUEUED' CHECK (status IN (
        'QUEUED', 'EXECUTING', 'STOPPED', 'DONE_SUCCESS', 'DONE_FAILED',
        'DONE_FAILED_BUDGET_EXHAUSTED', 'DONE_ABORTED')),
    reason TEXT,
    requested TEXT CHECK (requested IN ('stop', 'abort')),
    paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    token_cap_from_plan INTEGER NOT NULL DEFAULT 0 CHECK (token_cap_from_plan IN (0, 1)),
    open_phases INTEGER NOT NULL DEFAULT 0 CHECK (open_phases >= 0),
    failed_phases INTEGER NOT NULL DEFAULT 0 CHECK (failed_phases >= 0),
    plan TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER
) STRICT;
CREATE INDEX runs_created ON runs (created_at, run_id);

CREATE TABLE tiers (
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    tier_id TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    name TEXT NOT NULL,
    open_phases INTEGER NOT NULL DEFAULT 0 CHECK (open_phases >= 0),
    failed_phases INTEGER NOT NULL DEFAULT 0 CHECK (failed_phases >= 0),
    PRIMARY KEY (run_id, tier_id),
    UNIQUE (run_id, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE phases (
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    phase_id TEXT NOT NULL,
    tier_id TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    phase_name TEXT NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'QUEUED' CHECK (status IN (
        'QUEUED', 'EXECUTING', 'GATE', 'CI_RUNNING', 'COMPLETE', 'FAILED', 'SKIPPED')),
    reason TEXT,
    blockers INTEGER NOT NULL DEFAULT 0 CHECK (blockers >= 0),
    not_before INTEGER NOT NULL DEFAULT 0,
    waits_from INTEGER NOT NULL DEFAULT 0,
    attempts_made INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    interruptions INTEGER NOT NULL DEFAULT 0,
    spec TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    PRIMARY KEY (run_id, phase_id),
    UNIQUE (run_id, ordinal),
    FOREIGN KEY (run_id, tier_id) REFERENCES tiers (run_id, tier_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX phases_ready ON phases (run_id, ordinal)
    WHERE status = 'QUEUED' AND blockers = 0;
CREATE INDEX phases_running ON phases (phase_id, run_id)
    WHERE status IN ('EXECUTING', 'GATE', 'CI_RUNNING');
CREATE INDEX phases_by_tier ON phases (run_id, tier_id);

CREATE TABLE phase_dependencies (
    run_id TEXT NOT NULL,
    needs_phase_id TEXT NOT NULL,
    phase_id TEXT NOT NULL,
    PRIMARY KEY (run_id, needs_phase_id, phase_id),
    FOREIGN KEY (run_id, needs_phase_id) REFERENCES phases ON DELETE CASCADE,
    FOREIGN KEY (run_id, phase_id) REFERENCES phases ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX phase_dependencies_of ON phase_dependencies (run_id, phase_id);

CREATE TABLE executors (
    executor_id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    pid INTEGER NOT NULL,
    pid_started INTEGER NOT NULL,
    boot_id TEXT NOT NULL,
    jobs INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    outcome TEXT
) STRICT;
CREATE INDEX executors_open ON executors (run_id) WHERE ended_at IS NULL;
CREATE INDEX executors_by_run ON executors (run_id);

CREATE TABLE attempts (
    attempt_id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL,
    phase_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    executor_id INTEGER NOT NULL REFERENCES executors ON DELETE CASCADE,
    lease TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'EXECUTING' CHECK (status IN (
        'EXECUTING', 'CI_RUNNING', 'SUCCEEDED', 'FAILED', 'TIMED_OUT', 'IDLE_TIMED_OUT',
        'BUDGET_EXHAUSTED', 'ABORTED', 'INTERRUPTED')),
    reason TEXT,
    exit_code INTEGER,
    signal INTEGER,
    duration_ms INTEGER,
    cpu_ms INTEGER,
    max_rss_kib INTEGER,
    result_pending INTEGER NOT NULL DEFAULT 1 CHECK (result_pending IN (0, 1)),
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    UNIQUE (run_id, phase_id, number),
    FOREIGN KEY (run_id, phase_id) REFERENCES phases ON DELETE CASCADE
) STRICT;
CREATE UNIQUE INDEX attempts_open ON attempts (run_id, phase_id) WHERE ended_at IS NULL;
CREATE INDEX attempts_result_pending ON attempts (run_id) WHERE result_pending = 1;
CREATE INDEX attempts_open_by_executor ON attempts (executor_id) WHERE ended_at IS NULL;

CREATE TABLE budgets (
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    phase_id TEXT NOT NULL DEFAULT '',
    token_cap INTEGER NOT NULL CHECK (token_cap >= 0),
    tokens_used INTEGER NOT NULL DEFAULT 0,
    tokens_reserved INTEGER NOT NULL DEFAULT 0 CHECK (tokens_reserved >= 0),
    cost_cap_microusd INTEGER CHECK (cost_cap_microusd >= 0),
    cost_used_microusd INTEGER NOT NULL DEFAULT 0,
    cost_reserved_microusd INTEGER NOT NULL DEFAULT 0 CHECK (cost_reserved_microusd >= 0),
    warned_at INTEGER,
    PRIMARY KEY (run_id, phase_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE budget_reservations (
    reservation_id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    phase_id TEXT NOT NULL DEFAULT '',
    attempt INTEGER,
    status TEXT NOT NULL DEFAULT 'OPEN' CHECK (status IN ('OPEN', 'SETTLED')),
    tokens INTEGER NOT NULL CHECK (tokens >= 0),
    cost_microusd INTEGER NOT NULL DEFAULT 0 CHECK (cost_microusd >= 0),
    purpose TEXT NOT NULL DEFAULT '',
    pid INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    settled_at INTEGER,
    settled_tokens INTEGER
) STRICT;
CREATE INDEX budget_reservations_open ON budget_reservations (run_id, phase_id)
    WHERE status = 'OPEN';
CREATE INDEX budget_reservations_by_run ON budget_reservations (run_id);

CREATE TABLE llm_usage_events (
    usage_id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    phase_id TEXT NOT NULL DEFAULT '',
    phase_name TEXT NOT NULL DEFAULT '',
    attempt INTEGER,
    provider TEXT NOT NULL DEFAULT '',
    model TEXT NOT NULL DEFAULT '',
    prompt_tokens INTEGER NOT NULL CHECK (prompt_tokens >= 0),
    completion_tokens INTEGER NOT NULL CHECK (completion_tokens >= 0),
    cached_tokens INTEGER NOT NULL DEFAULT 0 CHECK (cached_tokens >= 0),
    cache_write_tokens INTEGER NOT NULL DEFAULT 0 CHECK (cache_write_tokens >= 0),
    reasoning_tokens INTEGER NOT NULL DEFAULT 0 CHECK (reasoning_tokens >= 0),
    cost_microusd INTEGER NOT NULL DEFAULT 0 CHECK (cost_microusd >= 0),
    duration_ms INTEGER NOT NULL DEFAULT 0,
    source TEXT NOT NULL CHECK (source IN ('fifo', 'report', 'stdout', 'settle', 'gateway')),
    estimated INTEGER NOT NULL DEFAULT 0 CHECK (estimated IN (0, 1)),
    reservation_id INTEGER,
    request_id TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX llm_usage_events_by_run
    ON llm_usage_events (run_id, phase_id, phase_name, prompt_tokens, completion_tokens);
CREATE UNIQUE INDEX llm_usage_events_once ON llm_usage_events (run_id, request_id)
    WHERE request_id IS NOT NULL;

CREATE TABLE circuit_breakers (
    name TEXT PRIMARY KEY,
    state TEXT NOT NULL DEFAULT 'closed' CHECK (state IN (
        'closed', 'open', 'half_open', 'forced_open', 'disabled')),
    reason TEXT,
    failure_count INTEGER NOT NULL DEFAULT 0,
    success_count INTEGER NOT NULL DEFAULT 0,
    times_opened INTEGER NOT NULL DEFAULT 0,
    opened_at INTEGER,
    retry_at INTEGER,
    window_next INTEGER NOT NULL DEFAULT 0,
    config TEXT NOT NULL DEFAULT '{}',
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE circuit_breaker_calls (
    name TEXT NOT NULL REFERENCES circuit_breakers ON DELETE CASCADE,
    slot INTEGER NOT NULL,
    failed INTEGER NOT NULL CHECK (failed IN (0, 1)),
    slow INTEGER NOT NULL CHECK (slow IN (0, 1)),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (name, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE circuit_breaker_probes (
    probe_id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL REFERENCES circuit_breakers ON DELETE CASCADE,
    pid INTEGER NOT NULL,
    pid_started INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX circuit_breaker_probes_by_name ON circuit_breaker_probes (name);

CREATE TABLE controls (
    control_id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    verb TEXT NOT NULL CHECK (verb IN ('stop', 'abort', 'timeout', 'pause', 'resume')),
    phase_id TEXT NOT NULL DEFAULT '',
    source TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    applied_at INTEGER,
    outcome TEXT
) STRICT;
CREATE INDEX controls_pending ON controls (run_id, control_id) WHERE applied_at IS NULL;
CREATE INDEX controls_by_run ON controls (run_id);

CREATE TABLE events (
    event_id INTEGER PRIMARY KEY,
    created_at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    run_id TEXT,
    phase_id TEXT,
    attempt INTEGER,
    detail TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX events_by_run ON events (run_id, event_id);

CREATE TABLE connections (
    connection_id INTEGER PRIMARY KEY,
    pid INTEGER NOT NULL,
    pid_started INTEGER NOT NULL,
    boot_id TEXT NOT NULL,
    tool TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    last_seen INTEGER NOT NULL
) STRICT;
CREATE VIEW pg_stat_activity AS
    SELECT pid, tool AS application_name, 'active' AS state, opened_at AS backend_start,
           last_seen AS state_change, connection_id
    FROM connections;

CREATE TRIGGER usage_counted AFTER INSERT ON llm_usage_events BEGIN
    UPDATE budgets SET
        tokens_used = tokens_used + NEW.prompt_tokens + NEW.completion_tokens,
        cost_used_microusd = cost_used_microusd + NEW.cost_microusd
    WHERE run_id = NEW.run_id AND phase_id IN ('', NEW.phase_id);
END;
CREATE TRIGGER usage_is_final BEFORE UPDATE ON llm_usage_events BEGIN
    SELECT RAISE(ABORT, 'llm_usage_events is append-only');
END;
CREATE TRIGGER usage_is_kept BEFORE DELETE ON llm_usage_events
WHEN EXISTS (SELECT 1 FROM runs WHERE run_id = OLD.run_id) BEGIN
    SELECT RAISE(ABORT, 'llm_usage_events is append-only');
END;
CREATE TRIGGER reservation_opened AFTER INSERT ON budget_reservations
WHEN NEW.status = 'OPEN' BEGIN
    UPDATE budgets SET
        tokens_reserved = tokens_reserved + NEW.tokens,
        cost_reserved_microusd = cost_reserved_microusd + NEW.cost_microusd
    WHERE run_id = NEW.run_id AND phase_id IN ('', NEW.phase_id);
END;
CREATE TRIGGER reservation_changed
AFTER UPDATE OF tokens, cost_microusd, status ON budget_reservations
WHEN OLD.status = 'OPEN' BEGIN
    UPDATE budgets SET
        tokens_reserved = tokens_reserved - OLD.tokens
            + CASE NEW.status WHEN 'OPEN' THEN NEW.tokens ELSE 0 END,
        cost_reserved_microusd = cost_reserved_microusd - OLD.cost_microusd
            + CASE NEW.status WHEN 'OPEN' THEN NEW.cost_microusd ELSE 0 END
    WHERE run_id = NEW.run_id AND phase_id IN ('', NEW.phase_id);
END;
CREATE TRIGGER reservation_deleted AFTER DELETE ON budget_reservations
WHEN OLD.status = 'OPEN' BEGIN
    UPDATE budgets SET
        tokens_reserved = tokens_reserved - OLD.tokens,
        cost_reserved_microusd = cost_reserved_microusd - OLD.cost_microusd
    WHERE run_id = OLD.run_id AND phase_id IN ('', OLD.phase_id);
END;
CREATE TRIGGER reservation_is_final BEFORE UPDATE ON budget_reservations
WHEN OLD.status = 'SETTLED' BEGIN
    SELECT RAISE(ABORT, 'the reservation is settled');
END;

CREATE TRIGGER event_is_final BEFORE UPDATE ON events BEGIN
    SELECT RAISE(ABORT, 'events is append-only');
END;
CREATE TRIGGER event_is_kept BEFORE DELETE ON events BEGIN
    SELECT RAISE(ABORT, 'events is append-only');
END;
CREATE TRIGGER run_created AFTER INSERT ON runs BEGIN
    INSERT INTO events (created_at, kind, run_id, detail)
    VALUES (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 'run.created', NEW.run_id, json_object('status', NEW.status));
END;
CREATE TRIGGER run_changed AFTER UPDATE OF status ON runs
WHEN OLD.status <> NEW.status BEGIN
    INSERT INTO events (created_at, kind, run_id, detail)
    VALUES (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 'run.status', NEW.run_id,
            json_object('from', OLD.status, 'to', NEW.status, 'reason', NEW.reason));
END;
CREATE TRIGGER run_deleted AFTER DELETE ON runs BEGIN
    INSERT INTO events (created_at, kind, run_id, detail)
    VALUES (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 'run.deleted', OLD.run_id, json_object('status', OLD.status));
END;
CREATE TRIGGER phase_changed AFTER UPDATE OF status ON phases
WHEN OLD.status <> NEW.status BEGIN
    INSERT INTO events (created_at, kind, run_id, phase_id, attempt, detail)
    VALUES (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 'phase.status', NEW.run_id, NEW.phase_id, NEW.attempts_made,
            json_object('from', OLD.status, 'to', NEW.status, 'reason', NEW.reason));
END;
CREATE TRIGGER attempt_ended AFTER UPDATE OF status ON attempts
WHEN OLD.status <> NEW.status AND NEW.status NOT IN ('SUCCEEDED', 'CI_RUNNING') BEGIN
    INSERT INTO events (created_at, kind, run_id, phase_id, attempt, detail)
    VALUES (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 'attempt.status', NEW.run_id, NEW.phase_id, NEW.number,
            json_object('to', NEW.status, 'reason', NEW.reason));
END;
CREATE TRIGGER breaker_changed AFTER UPDATE OF state ON circuit_breakers
WHEN OLD.state <> NEW.state BEGIN
    INSERT INTO events (created_at, kind, detail)
    VALUES (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 'breaker.state',
            json_object('name', NEW.name, 'from', OLD.state, 'to', NEW.state,
                        'reason', NEW.reason));
END;
)sql";

} // namespace ap::migrations_sql
