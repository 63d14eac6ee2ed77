#pragma once

#include <string_view>

namespace ap::migrations_sql {

// The triggers that add a row to the totals took longer than the row itself. Who inserts
// many rows in one transaction may add them up first, and say so in the rows. (A CHECK on
// the column would make SQLite read all of a long history.)
inline constexpr std::string_view usage_sums = R"sql(
ALTER TABLE llm_usage_events ADD COLUMN summed INTEGER NOT NULL DEFAULT 0;

DROP TRIGGER usage_counted;
CREATE TRIGGER usage_counted AFTER INSERT ON llm_usage_events WHEN NEW.summed = 0 BEGIN
    UPDATE budgets SET
        tokens_used = tokens_used + NEW.prompt_tokens + NEW.completion_tokens,
        cost_used_microusd = cost_used_microusd + NEW.cost_microusd
    WHERE run_id = NEW.run_id AND phase_id IN ('', NEW.phase_id);
END;

DROP TRIGGER usage_counted_by_day;
CREATE TRIGGER usage_counted_by_day AFTER INSERT ON llm_usage_events
WHEN NEW.summed = 0 BEGIN
    INSERT INTO day_usage VALUES (date(NEW.created_at / 1000, 'unixepoch'),
        NEW.prompt_tokens + NEW.completion_tokens, NEW.cost_microusd)
    ON CONFLICT (day) DO UPDATE SET
        tokens_used = tokens_used + excluded.tokens_used,
        cost_used_microusd = cost_used_microusd + excluded.cost_used_microusd;
END;

DROP TRIGGER usage_summed;
CREATE TRIGGER usage_summed AFTER INSERT ON llm_usage_events WHEN NEW.summed = 0 BEGIN
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
)sql";

} // namespace ap::migrations_sql
