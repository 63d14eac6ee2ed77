#pragma once

#include <string_view>

namespace ap::migrations_sql {

// Questions to people. What waits for an answer is withdrawn when its attempt, phase or
// run ends, whoever ends it; what a phase goes by is asked anew when it is tried again.
inline constexpr std::string_view approvals = R"sql(
CREATE TABLE approvals (
    approval_id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    phase_id TEXT NOT NULL DEFAULT '',
    attempt INTEGER,
    kind TEXT NOT NULL,
    risk TEXT NOT NULL DEFAULT '',
    summary TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL DEFAULT 'PENDING' CHECK (state IN (
        'PENDING', 'APPROVED', 'REJECTED', 'EXPIRED', 'WITHDRAWN')),
    default_decision TEXT NOT NULL DEFAULT 'no' CHECK (default_decision IN ('no', 'yes')),
    in_force INTEGER NOT NULL DEFAULT 0 CHECK (in_force IN (0, 1)),
    requested_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    decided_at INTEGER,
    decided_by TEXT,
    comment TEXT,
    CHECK ((state = 'PENDING') = (decided_at IS NULL))
) STRICT;
CREATE INDEX approvals_pending ON approvals (run_id, phase_id) WHERE state = 'PENDING';
CREATE UNIQUE INDEX approvals_in_force ON approvals (run_id, phase_id)
    WHERE in_force = 1;
CREATE INDEX approvals_by_run ON approvals (run_id, approval_id);

CREATE TRIGGER approval_requested AFTER INSERT ON approvals BEGIN
    INSERT INTO events (created_at, kind, run_id, phase_id, attempt, detail)
    VALUES (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER),
            'approval.requested', NEW.run_id, nullif(NEW.phase_id, ''), NEW.attempt,
            json_object('approval_id', NEW.approval_id, 'kind', NEW.kind,
                        'summary', NEW.summary));
END;
CREATE TRIGGER approval_changed AFTER UPDATE OF state ON approvals
WHEN OLD.state <> NEW.state BEGIN
    INSERT INTO events (created_at, kind, run_id, phase_id, attempt, detail)
    VALUES (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER),
            'approval.state', NEW.run_id, nullif(NEW.phase_id, ''), NEW.attempt,
            json_object('approval_id', NEW.approval_id, 'to', NEW.state,
                        'by', NEW.decided_by, 'reason', NEW.comment));
END;
CREATE TRIGGER approval_is_final BEFORE UPDATE OF state, decided_at, decided_by, comment
ON approvals WHEN OLD.state <> 'PENDING' BEGIN
    SELECT RAISE(ABORT, 'the approval is decided');
END;
CREATE TRIGGER attempt_ended_unapproved AFTER UPDATE OF ended_at ON attempts
WHEN OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL BEGIN
    UPDATE approvals SET state = 'WITHDRAWN', decided_at = NEW.ended_at
    WHERE run_id = NEW.run_id AND phase_id = NEW.phase_id AND attempt = NEW.number
        AND state = 'PENDING';
END;
CREATE TRIGGER phase_ended_unapproved AFTER UPDATE OF status ON phases
WHEN NEW.status IN ('COMPLETE', 'FAILED', 'SKIPPED') AND OLD.status <> NEW.status BEGIN
    UPDATE approvals SET state = 'WITHDRAWN',
        decided_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE run_id = NEW.run_id AND phase_id = NEW.phase_id AND state = 'PENDING';
END;
CREATE TRIGGER run_ended_unapproved AFTER UPDATE OF status ON runs
WHEN NEW.status LIKE 'DONE%' AND OLD.status <> NEW.status BEGIN
    UPDATE approvals SET state = 'WITHDRAWN',
        decided_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE run_id = NEW.run_id AND state = 'PENDING';
END;
CREATE TRIGGER phase_asks_again AFTER UPDATE OF status ON phases
WHEN NEW.status = 'QUEUED' AND OLD.status IN ('FAILED', 'SKIPPED') BEGIN
    UPDATE approvals SET in_force = 0
    WHERE run_id = NEW.run_id AND phase_id = NEW.phase_id AND in_force = 1;
END;
)sql";

} // namespace ap::migrations_sql
