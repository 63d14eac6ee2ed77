#include "domain/token_caps.hh"

#include "domain/budget.hh"

#include <algorithm>
#include <cmath>

namespace ap {

int64_t TokenCaps::phase_cap(std::string_view type) const
{
    const auto found = multipliers.find(type);
    const double factor = found == multipliers.end() ? 1.0 : found->second;
    // The small addend keeps 100 * 0.29 at 29, which binary fractions put just below.
    const double cap = std::floor(static_cast<double>(phase) * factor + 1e-6);
    return static_cast<int64_t>(std::min(cap, static_cast<double>(largest_amount)));
}

} // namespace ap
