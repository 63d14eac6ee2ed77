#pragma once

#include <string_view>

namespace ap::migrations_sql {

// What the gateway's books need: who holds a tranche, what a day may cost, and the
// largest answer of each model. A day's usage is kept by a trigger, as the budgets are.
inline constexpr std::string_view gateway = R"sql(
CREATE TABLE gateways (
    gateway_id INTEGER PRIMARY KEY AUTOINCREMENT,
    pid INTEGER NOT NULL,
    pid_started INTEGER NOT NULL,
    boot_id TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;
CREATE INDEX gateways_open ON gateways (gateway_id) WHERE ended_at IS NULL;

ALTER TABLE budget_reservations ADD COLUMN gateway_id INTEGER REFERENCES gateways;
CREATE INDEX budget_reservations_of_gateway ON budget_reservations (gateway_id)
    WHERE gateway_id IS NOT NULL;

CREATE TABLE day_caps (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    token_cap INTEGER CHECK (token_cap >= 0),
    cost_cap_microusd INTEGER CHECK (cost_cap_microusd >= 0)
) STRICT;
INSERT INTO day_caps (only) VALUES (1);

CREATE TABLE day_usage (
    day TEXT PRIMARY KEY,
    tokens_used INTEGER NOT NULL,
    cost_used_microusd INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO day_usage
    SELECT date(created_at / 1000, 'unixepoch'),
        sum(prompt_tokens + completion_tokens), sum(cost_microusd)
    FROM llm_usage_events GROUP BY 1;
CREATE TRIGGER usage_counted_by_day AFTER INSERT ON llm_usage_events BEGIN
    INSERT INTO day_usage VALUES (date(NEW.created_at / 1000, 'unixepoch'),
        NEW.prompt_tokens + NEW.completion_tokens, NEW.cost_microusd)
    ON CONFLICT (day) DO UPDATE SET
        tokens_used = tokens_used + excluded.tokens_used,
        cost_used_microusd = cost_used_microusd + excluded.cost_used_microusd;
END;

CREATE TABLE model_outputs (
    model TEXT PRIMARY KEY,
    largest_output INTEGER NOT NULL CHECK (largest_output > 0)
) STRICT, WITHOUT ROWID;
)sql";

} // namespace ap::migrations_sql
