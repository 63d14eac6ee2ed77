#include "domain/usage_batch.hh"

#include "domain/day_budget.hh"

#include <utility>

namespace ap {

namespace {

constexpr std::string_view add_to_row =
    "ON CONFLICT DO UPDATE SET calls = calls + excluded.calls, "
    "prompt_tokens = prompt_tokens + excluded.prompt_tokens, "
    "completion_tokens = completion_tokens + excluded.completion_tokens, "
    "cached_tokens = cached_tokens + excluded.cached_tokens, "
    "cost_microusd = cost_microusd + excluded.cost_microusd";

} // namespace

bool UsageBatch::add(const UsageOrigin &origin, const Usage &usage, UnixMs at)
{
    if (!insert_usage(database_, origin, phase_name(origin), usage, at,
                      UsageTotals::ByCaller)) {
        return false;
    }
    const UnixMs hour_at = at - at % hour_ms;
    sums_[{origin.run_id, origin.phase_id, usage.model, hour_at}] +=
        UsageSums{.calls = 1,
                  .prompt_tokens = usage.prompt_tokens,
                  .completion_tokens = usage.completion_tokens,
                  .cached_tokens = usage.cached_tokens,
                  .cost_microusd = usage.cost_microusd};
    return true;
}

const std::string &UsageBatch::phase_name(const UsageOrigin &origin)
{
    auto key = std::pair(origin.run_id, origin.phase_id);
    const auto known = names_.find(key);
    return known != names_.end()
               ? known->second
               : names_
                     .emplace(std::move(key), charged_phase_name(database_, origin.run_id,
                                                                 origin.phase_id))
                     .first->second;
}

void UsageBatch::write_sums()
{
    for (const auto &[key, sums] : std::exchange(sums_, {})) {
        write(key, sums);
    }
}

void UsageBatch::write(const Key &key, const UsageSums &sums)
{
    database_
        .prepare("UPDATE budgets SET tokens_used = tokens_used + ?3, "
                 "cost_used_microusd = cost_used_microusd + ?4 "
                 "WHERE run_id = ?1 AND phase_id IN ('', ?2)")
        .bind_all(key.run_id, key.phase_id, sums.tokens(), sums.cost_microusd)
        .run();
    database_
        .prepare("INSERT INTO day_usage VALUES (?1, ?2, ?3) ON CONFLICT (day) DO UPDATE "
                 "SET tokens_used = tokens_used + excluded.tokens_used, "
                 "cost_used_microusd = cost_used_microusd + excluded.cost_used_microusd")
        .bind_all(day_of(key.hour_at), sums.tokens(), sums.cost_microusd)
        .run();
    database_
        .prepare("INSERT INTO usage_hours VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) " +
                 std::string(add_to_row))
        .bind_all(key.hour_at, key.model, sums.calls, sums.prompt_tokens,
                  sums.completion_tokens, sums.cached_tokens, sums.cost_microusd)
        .run();
    database_
        .prepare("INSERT INTO usage_models VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) " +
                 std::string(add_to_row))
        .bind_all(key.run_id, key.phase_id, key.model, sums.calls, sums.prompt_tokens,
                  sums.completion_tokens, sums.cached_tokens, sums.cost_microusd)
        .run();
}

} // namespace ap
