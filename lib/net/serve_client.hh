#pragma once

#include "domain/state.hh"
#include "wrap/json.hh"

#include <string>

namespace ap {

/// Asks the ap-serve of this state directory, which it finds by its file serve.json:
/// through its Unix socket if it has one, else at its loopback address. Returns the JSON
/// answer, whatever its status. Throws Error(Unavailable) if none is running or it cannot
/// be asked so (TLS without a socket), Error(BadData) for an answer that is no JSON.
Json ask_server(const StatePaths &paths, const std::string &path);

} // namespace ap
