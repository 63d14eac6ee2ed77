#pragma once

#include "domain/state.hh"
#include "wrap/json.hh"

#include <string>
#include <string_view>

namespace ap {

/// A server of the suite, found by the file that it keeps among the runs while it lives.
struct ServedBy
{
    std::string_view tool;
    std::string_view file;
};
inline constexpr ServedBy by_serve{"ap-serve", "serve.json"};
inline constexpr ServedBy by_gate{"ap-gate", "gate.json"};

/// Whether the server of this state directory is there.
bool is_running(const StatePaths &paths, const ServedBy &server);

/// Asks the server of this state directory: through its Unix socket if it has one, else
/// at its loopback address. Returns the JSON answer, whatever its status. Throws
/// Error(Unavailable) if none is running or it cannot be asked so (TLS without a socket),
/// Error(BadData) for an answer that is no JSON.
Json ask_server(const StatePaths &paths, const ServedBy &server, const std::string &path);

} // namespace ap
