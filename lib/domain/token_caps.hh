#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace ap {

/// The token caps a run starts with, as load_config() reads them.
struct TokenCaps
{
    int64_t run = 5'000'000;
    bool run_is_set = false; ///< by the configuration
    int64_t phase = 500'000;
    std::map<std::string, double, std::less<>> multipliers{{"research", 1.5},
                                                           {"implementation", 1.0},
                                                           {"verification", 0.5},
                                                           {"audit", 0.3}};

    /// `phase` times the multiplier of `type` (1.0 for a type without one), rounded down.
    int64_t phase_cap(std::string_view type) const;
};

} // namespace ap
