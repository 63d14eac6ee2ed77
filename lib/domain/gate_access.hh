#pragma once

#include "domain/state.hh"

#include <optional>
#include <string>

namespace ap {

/// How an attempt reaches the gateway.
struct GateAccess
{
    std::string url;       ///< "http://127.0.0.1:4141", without a slash at the end
    std::string key;       ///< the attempt's capability
    std::string ca_file{}; ///< certificates to trust for it; empty: the system's
};

/// The gateway that attempts are to use, without a key yet: AUTOPACK_GATE_URL and
/// AUTOPACK_GATE_CA_FILE, or what a gateway wrote to `<runs>/gate.json` (members "url"
/// and "ca_file") when it began to listen. Nothing if there is neither, or if the first
/// variable is set and empty. The file of a gateway that was killed still counts: calls
/// that fail are better than calls that nobody meters. Throws Error(Config) naming
/// variable or file if what it has is no http URL.
std::optional<GateAccess> find_gate(const StatePaths &paths);

} // namespace ap
