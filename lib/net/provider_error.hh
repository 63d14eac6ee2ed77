#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace ap {

/// Why the gateway answers itself.
enum class GateFault {
    BadKey,       ///< no key, a foreign one, or that of an attempt that has ended
    BadRequest,   ///< a body that cannot be understood, so its cost neither
    Budget,       ///< too little is left, and waiting will not change that
    UnknownPath,  ///< refused by configuration
    UnknownModel, ///< no provider takes it
    Busy,         ///< the gateway's own limits
    Open,         ///< the breaker of provider and model is open
    Unreachable,  ///< the provider could not be reached, or broke off
    TooSlow,      ///< the provider did not answer in time
    Internal,
};

/// An answer in the shape that the provider's own clients understand.
struct ProviderError
{
    int status = 0;
    std::string body; ///< JSON
    std::optional<std::chrono::seconds> retry_after;
};

/// The answer for a client of `family` ("anthropic", "openai", "gemini"; anything else is
/// told as openai). Clients try again by themselves what may pass (429, 5xx) and give up
/// on what will not: so a spent budget is 400, as a spent credit is with Anthropic.
ProviderError
provider_error(std::string_view family, GateFault fault, std::string_view message,
               std::optional<std::chrono::seconds> retry_after = std::nullopt);

/// Why a breaker counts an answer of this status as a failure: "overloaded (529)".
std::string reason_of_status(int status);

} // namespace ap
