#pragma once

#include <string_view>

namespace ap::migrations_sql {

// A row's triggers and the check of its source took longer than the row itself. Who
// inserts many rows in one transaction may add them to the totals at once, and say so in
// the rows; one trigger does it for all others. IN with more than two values fills a
// table of its own for each row that is checked, OR does not; no row changes by it, which
// is when https://www.sqlite.org/lang_altertable.html#otheralter lets the schema be
// edited. (A CHECK on the new column would make SQLite read all of a long history.)
inline constexpr std::string_view usage_sums = R"sql(
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql,
    'source IN (''fifo'', ''report'', ''stdout'', ''settle'', ''gateway'')',
    'source = ''gateway'' OR source = ''fifo'' OR source = ''report'' '
    || 'OR source = ''stdout'' OR source = ''settle''')
WHERE type = 'table' AND name = 'llm_usage_events';
PRAGMA writable_schema = RESET;

ALTER TABLE llm_usage_events ADD COLUMN summed INTEGER NOT NULL DEFAULT 0;

DROP TRIGGER usage_counted;
DROP TRIGGER usage_counted_by_day;
DROP TRIGGER usage_summed;
CREATE TRIGGER usage_counted AFTER INSERT ON llm_usage_events WHEN NEW.summed = 0 BEGIN
    UPDATE budgets SET
        tokens_used = tokens_used + NEW.prompt_tokens + NEW.completion_tokens,
        cost_used_microusd = cost_used_microusd + NEW.cost_microusd
    WHERE run_id = NEW.run_id AND phase_id IN ('', NEW.phase_id);
    INSERT INTO day_usage VALUES (date(NEW.created_at / 1000, 'unixepoch'),
        NEW.prompt_tokens + NEW.completion_tokens, NEW.cost_microusd)
    ON CONFLICT (day) DO UPDATE SET
        tokens_used = tokens_used + excluded.tokens_used,
        cost_used_microusd = cost_used_microusd + excluded.cost_used_microusd;
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
