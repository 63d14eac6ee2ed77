#pragma once

#include "domain/state.hh"

#include <optional>
#include <string>

namespace ap {

/// How an attempt reaches the gateway.
struct GateAccess
{
    std::string url; ///< "http://127.0.0.1:4141", without a slash at the end
    std::string key; ///< the attempt's capability
};

/// The gateway that attempts are to use: AUTOPACK_GATE_URL, or what a gateway wrote to
/// `<runs>/gate.json` (member "url") when it began to listen. Nothing if there is
/// neither, or if the variable is set and empty. The file of a gateway that was killed
/// still counts: calls that fail are better than calls that nobody meters. Throws
/// Error(Config) naming variable or file if what it has is no http URL.
std::optional<std::string> gate_url(const StatePaths &paths);

} // namespace ap
