#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace ap {

/// The token caps a run starts with, from the environment.
struct TokenCaps
{
    int64_t run = 5'000'000;
    bool run_is_set = false; ///< AUTOPACK_RUN_TOKEN_CAP was given
    int64_t phase = 500'000;
    std::map<std::string, double, std::less<>> multipliers{{"research", 1.5},
                                                           {"implementation", 1.0},
                                                           {"verification", 0.5},
                                                           {"audit", 0.3}};

    /// `phase` times the multiplier of `type` (1.0 for a type without one), rounded down.
    int64_t phase_cap(std::string_view type) const;
};

/// Reads AUTOPACK_RUN_TOKEN_CAP, AUTOPACK_PHASE_TOKEN_CAP and
/// AUTOPACK_PHASE_TOKEN_MULTIPLIERS ("research:1.5,audit:0.3"; types it does not name
/// keep their default). Throws Error(Config) naming variable and value if one is
/// malformed.
TokenCaps token_caps_from_environment();

} // namespace ap
