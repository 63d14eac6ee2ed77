#pragma once

#include "domain/usage_report.hh"

#include <string>
#include <vector>

namespace ap {

/// Token use over time as an SVG of stacked bars, one colour a model, with its key and
/// the same figures as a table for those who cannot see it. `list` is of
/// usage_over_time().
std::string usage_chart(const std::vector<ModelUsage> &list, UnixMs from, UnixMs until,
                        int64_t step_ms);

/// Tokens by model as horizontal bars, with the figures.
std::string model_chart(const std::vector<ModelUsage> &list);

/// Tokens used and reserved against a cap as a bar with a line at 80 %. A cap of 0 has
/// no bar.
std::string token_bar(int64_t used, int64_t reserved, int64_t cap);

} // namespace ap
