#pragma once

#include "base/clock.hh"
#include "wrap/json.hh"
#include "wrap/sqlite.hh"

#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// Sums of LLM calls. They are kept as the calls are recorded, so that reading them costs
/// the same however many there were.
struct UsageSums
{
    int64_t calls = 0;
    int64_t prompt_tokens = 0;
    int64_t completion_tokens = 0;
    int64_t cached_tokens = 0;
    int64_t cost_microusd = 0;

    int64_t tokens() const noexcept { return prompt_tokens + completion_tokens; }
    UsageSums &operator+=(const UsageSums &other) noexcept;
};

/// One model's usage in one span of time, or of one phase.
struct ModelUsage
{
    UnixMs at = 0;        ///< beginning of the hour or day; 0 for a run's
    std::string phase_id; ///< of a run's: empty for calls of no phase
    std::string model;
    UsageSums sums;
};

inline constexpr int64_t hour_ms = 3'600'000;
inline constexpr int64_t day_ms = 24 * hour_ms;

/// All runs' usage from `from` up to `until`, by the hour (UTC) or by a multiple of it
/// and by model, oldest first. `step_ms` is a multiple of an hour.
std::vector<ModelUsage> usage_over_time(Sqlite &database, UnixMs from, UnixMs until,
                                        int64_t step_ms);

/// A run's usage by phase and model.
std::vector<ModelUsage> usage_of_run(Sqlite &database, std::string_view run_id);

/// `list` summed up by model, most tokens first.
std::vector<ModelUsage> sum_by_model(const std::vector<ModelUsage> &list);

Json usage_sums_to_json(const UsageSums &sums);

} // namespace ap
