#pragma once

#include <string_view>

namespace ap::migrations_sql {

// Usage that was an estimate may be replaced by what the provider says, once and with a
// trace; everything else stays append-only. What the last calls of each model tell of
// those whose usage nobody tells survives the gateway.
inline constexpr std::string_view estimates = R"sql(
CREATE TABLE model_ratios (
    dialect TEXT NOT NULL,
    model TEXT NOT NULL,
    samples TEXT NOT NULL,
    saved_at INTEGER NOT NULL,
    PRIMARY KEY (dialect, model)
) STRICT, WITHOUT ROWID;

ALTER TABLE llm_usage_events ADD COLUMN provider_request_id TEXT;
CREATE INDEX llm_usage_events_estimated ON llm_usage_events (run_id, usage_id)
    WHERE estimated = 1;

CREATE TABLE usage_reconciliations (
    usage_id INTEGER PRIMARY KEY REFERENCES llm_usage_events ON DELETE CASCADE,
    estimated_prompt_tokens INTEGER NOT NULL,
    estimated_completion_tokens INTEGER NOT NULL,
    estimated_cost_microusd INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL CHECK (prompt_tokens >= 0),
    completion_tokens INTEGER NOT NULL CHECK (completion_tokens >= 0),
    cost_microusd INTEGER NOT NULL CHECK (cost_microusd >= 0),
    reconciled_at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER reconciliation_is_final BEFORE UPDATE ON usage_reconciliations BEGIN
    SELECT RAISE(ABORT, 'the call is reconciled');
END;
CREATE TRIGGER reconciliation_is_kept BEFORE DELETE ON usage_reconciliations
WHEN EXISTS (SELECT 1 FROM llm_usage_events WHERE usage_id = OLD.usage_id) BEGIN
    SELECT RAISE(ABORT, 'usage_reconciliations is append-only');
END;

DROP TRIGGER usage_is_final;
CREATE TRIGGER usage_is_final BEFORE UPDATE ON llm_usage_events
WHEN OLD.estimated = 0 OR NEW.estimated <> 0
    OR (OLD.usage_id, OLD.run_id, OLD.phase_id, OLD.attempt, OLD.provider, OLD.model,
        OLD.source, OLD.reservation_id, OLD.request_id, OLD.created_at) IS NOT
       (NEW.usage_id, NEW.run_id, NEW.phase_id, NEW.attempt, NEW.provider, NEW.model,
        NEW.source, NEW.reservation_id, NEW.request_id, NEW.created_at)
    OR NOT EXISTS (SELECT 1 FROM usage_reconciliations r WHERE r.usage_id = OLD.usage_id
        AND r.estimated_prompt_tokens = OLD.prompt_tokens
        AND r.estimated_completion_tokens = OLD.completion_tokens
        AND r.estimated_cost_microusd = OLD.cost_microusd
        AND r.prompt_tokens = NEW.prompt_tokens
        AND r.completion_tokens = NEW.completion_tokens
        AND r.cost_microusd = NEW.cost_microusd) BEGIN
    SELECT RAISE(ABORT, 'llm_usage_events is append-only');
END;
CREATE TRIGGER usage_corrected AFTER UPDATE ON llm_usage_events BEGIN
    UPDATE budgets SET
        tokens_used = tokens_used + NEW.prompt_tokens + NEW.completion_tokens
            - OLD.prompt_tokens - OLD.completion_tokens,
        cost_used_microusd = cost_used_microusd + NEW.cost_microusd - OLD.cost_microusd
    WHERE run_id = NEW.run_id AND phase_id IN ('', NEW.phase_id);
    UPDATE day_usage SET
        tokens_used = tokens_used + NEW.prompt_tokens + NEW.completion_tokens
            - OLD.prompt_tokens - OLD.completion_tokens,
        cost_used_microusd = cost_used_microusd + NEW.cost_microusd - OLD.cost_microusd
    WHERE day = date(NEW.created_at / 1000, 'unixepoch');
    UPDATE usage_hours SET
        prompt_tokens = prompt_tokens + NEW.prompt_tokens - OLD.prompt_tokens,
        completion_tokens = completion_tokens + NEW.completion_tokens
            - OLD.completion_tokens,
        cached_tokens = cached_tokens + NEW.cached_tokens - OLD.cached_tokens,
        cost_microusd = cost_microusd + NEW.cost_microusd - OLD.cost_microusd
    WHERE hour_at = NEW.created_at - NEW.created_at % 3600000 AND model = NEW.model;
    UPDATE usage_models SET
        prompt_tokens = prompt_tokens + NEW.prompt_tokens - OLD.prompt_tokens,
        completion_tokens = completion_tokens + NEW.completion_tokens
            - OLD.completion_tokens,
        cached_tokens = cached_tokens + NEW.cached_tokens - OLD.cached_tokens,
        cost_microusd = cost_microusd + NEW.cost_microusd - OLD.cost_microusd
    WHERE run_id = NEW.run_id AND phase_id = NEW.phase_id AND model = NEW.model;
    INSERT INTO events (created_at, kind, run_id, phase_id, attempt, detail)
    VALUES (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER),
            'usage.reconciled', NEW.run_id, NEW.phase_id, coalesce(NEW.attempt, 0),
            json_object('usage_id', NEW.usage_id,
                        'estimated', OLD.prompt_tokens + OLD.completion_tokens,
                        'tokens', NEW.prompt_tokens + NEW.completion_tokens));
END;
)sql";

} // namespace ap::migrations_sql
