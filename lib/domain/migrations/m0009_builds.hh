#pragma once

#include <string_view>

namespace ap::migrations_sql {

// What ap-build made of the goals of phases. A build goes on over the attempts that are
// lost or wait; what failed is looked up by class to learn from it.
inline constexpr std::string_view builds = R"sql(
CREATE TABLE builds (
    run_id TEXT NOT NULL,
    phase_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    status TEXT NOT NULL DEFAULT 'OPEN' CHECK (status IN ('OPEN', 'COMMITTED', 'FAILED')),
    level INTEGER NOT NULL DEFAULT 0,
    model TEXT NOT NULL DEFAULT '',
    stage INTEGER NOT NULL DEFAULT 0,
    tokens INTEGER NOT NULL DEFAULT 0,
    failure_class TEXT NOT NULL DEFAULT '',
    failure_key TEXT NOT NULL DEFAULT '',
    signature TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    commit_id TEXT NOT NULL DEFAULT '',
    approval_id INTEGER,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    PRIMARY KEY (run_id, phase_id, number),
    FOREIGN KEY (run_id, phase_id) REFERENCES phases ON DELETE CASCADE,
    CHECK ((status = 'OPEN') = (ended_at IS NULL))
) STRICT;
CREATE UNIQUE INDEX builds_open ON builds (run_id, phase_id) WHERE status = 'OPEN';
CREATE INDEX builds_by_failure ON builds (failure_class, failure_key)
    WHERE status = 'FAILED';

CREATE TRIGGER build_started AFTER INSERT ON builds BEGIN
    INSERT INTO events (created_at, kind, run_id, phase_id, detail)
    VALUES (NEW.started_at, 'build.started', NEW.run_id, NEW.phase_id,
            json_object('number', NEW.number, 'level', NEW.level, 'model', NEW.model));
END;
CREATE TRIGGER build_ended AFTER UPDATE OF status ON builds WHEN OLD.status = 'OPEN' BEGIN
    INSERT INTO events (created_at, kind, run_id, phase_id, detail)
    VALUES (NEW.ended_at, 'build.ended', NEW.run_id, NEW.phase_id,
            json_object('number', NEW.number, 'status', NEW.status,
                        'failure', NEW.failure_class, 'reason', NEW.reason,
                        'commit', NEW.commit_id, 'tokens', NEW.tokens));
END;
)sql";

} // namespace ap::migrations_sql
