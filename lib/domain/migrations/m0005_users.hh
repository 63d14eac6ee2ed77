#pragma once

#include <string_view>

namespace ap::migrations_sql {

// Who may use the HTTP interface, sums of usage by hour and by model that cost the same
// to read however many calls there were, and what is known of the file itself. Of
// passwords, sessions and tokens only hashes are kept. Hours stay when a run is deleted:
// its tokens were spent.
inline constexpr std::string_view users = R"sql(
CREATE TABLE users (
    user_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('read', 'operate', 'admin')),
    created_at INTEGER NOT NULL,
    password_set_at INTEGER NOT NULL,
    last_login_at INTEGER
) STRICT;

CREATE TABLE sessions (
    session_hash TEXT PRIMARY KEY CHECK (length(session_hash) = 64),
    user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_end ON sessions (expires_at);

CREATE TABLE api_tokens (
    token_id INTEGER PRIMARY KEY AUTOINCREMENT,
    token_hash TEXT NOT NULL UNIQUE CHECK (length(token_hash) = 64),
    name TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('read', 'operate', 'admin')),
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    revoked_at INTEGER
) STRICT;

CREATE TABLE usage_hours (
    hour_at INTEGER NOT NULL CHECK (hour_at % 3600000 = 0),
    model TEXT NOT NULL,
    calls INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    cost_microusd INTEGER NOT NULL,
    PRIMARY KEY (hour_at, model)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_models (
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    phase_id TEXT NOT NULL,
    model TEXT NOT NULL,
    calls INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    cost_microusd INTEGER NOT NULL,
    PRIMARY KEY (run_id, phase_id, model)
) STRICT, WITHOUT ROWID;

INSERT INTO usage_hours
    SELECT created_at - created_at % 3600000, model, count(*), sum(prompt_tokens),
           sum(completion_tokens), sum(cached_tokens), sum(cost_microusd)
    FROM llm_usage_events GROUP BY 1, 2;
INSERT INTO usage_models
    SELECT run_id, phase_id, model, count(*), sum(prompt_tokens),
           sum(completion_tokens), sum(cached_tokens), sum(cost_microusd)
    FROM llm_usage_events GROUP BY 1, 2, 3;

CREATE TRIGGER usage_summed AFTER INSERT ON llm_usage_events BEGIN
    INSERT INTO usage_hours VALUES (
        NEW.created_at - NEW.created_at % 3600000, NEW.model, 1, NEW.prompt_tokens,
        NEW.completion_tokens, NEW.cached_tokens, NEW.cost_microusd)
    ON CONFLICT DO UPDATE SET
        calls = calls + 1,
        prompt_tokens = prompt_tokens + excluded.prompt_tokens,
        completion_tokens = completion_tokens + excluded.completion_tokens,
        cached_tokens = cached_tokens + excluded.cached_tokens,
        cost_microusd = cost_microusd + excluded.cost_microusd;
    INSERT INTO usage_models VALUES (
        NEW.run_id, NEW.phase_id, NEW.model, 1, NEW.prompt_tokens,
        NEW.completion_tokens, NEW.cached_tokens, NEW.cost_microusd)
    ON CONFLICT DO UPDATE SET
        calls = calls + 1,
        prompt_tokens = prompt_tokens + excluded.prompt_tokens,
        completion_tokens = completion_tokens + excluded.completion_tokens,
        cached_tokens = cached_tokens + excluded.cached_tokens,
        cost_microusd = cost_microusd + excluded.cost_microusd;
END;

CREATE TABLE database_info (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    identity TEXT NOT NULL,
    checked_at INTEGER,
    check_findings INTEGER
) STRICT;
INSERT INTO database_info VALUES (1, lower(hex(randomblob(16))), NULL, NULL);

CREATE INDEX runs_by_status ON runs (status, created_at, run_id);
)sql";

} // namespace ap::migrations_sql
