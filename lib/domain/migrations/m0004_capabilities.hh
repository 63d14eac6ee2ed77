#pragma once

#include <string_view>

namespace ap::migrations_sql {

// Keys of attempts for the gateway, as hashes. A key's end is its attempt's, which is why
// none is stored here: there is one truth about when an attempt ended.
inline constexpr std::string_view capabilities = R"sql(
CREATE TABLE capabilities (
    key_hash TEXT PRIMARY KEY CHECK (length(key_hash) = 64),
    attempt_id INTEGER NOT NULL REFERENCES attempts ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX capabilities_by_attempt ON capabilities (attempt_id);

CREATE TABLE budget_refusals (
    attempt_id INTEGER PRIMARY KEY REFERENCES attempts ON DELETE CASCADE,
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    scope TEXT NOT NULL CHECK (scope IN ('phase', 'run', 'day')),
    reason TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX budget_refusals_by_run ON budget_refusals (run_id, scope);
CREATE TRIGGER budget_refused AFTER INSERT ON budget_refusals BEGIN
    INSERT INTO events (created_at, kind, run_id, phase_id, attempt, detail)
    SELECT NEW.created_at, 'budget.refused', a.run_id, a.phase_id, a.number,
           json_object('scope', NEW.scope, 'reason', NEW.reason)
    FROM attempts a WHERE a.attempt_id = NEW.attempt_id;
END;
)sql";

} // namespace ap::migrations_sql
