#pragma once

#include "domain/lease.hh"
#include "domain/state.hh"

#include <string>
#include <vector>

namespace ap {

/// The environment of a phase's command: this process's, less what belongs to this
/// process alone (systemd's sockets) and less the LLM providers' keys, unless the phase
/// names an agent that needs them or lists them in pass_env; plus the phase's own
/// variables and AUTOPACK_RUN_ID, AUTOPACK_PHASE_ID, AUTOPACK_ATTEMPT, AUTOPACK_LEASE,
/// AUTOPACK_USAGE_FIFO, AUTOPACK_DB and AUTOPACK_RUNS_DIR. Entries are "NAME=value".
std::vector<std::string> child_environment(const Lease &lease, const StatePaths &paths,
                                           const std::string &usage_fifo);

/// The same for a check of the phase, which gets no provider's key but those in pass_env.
std::vector<std::string> check_environment(const Lease &lease, const StatePaths &paths,
                                           const std::string &usage_fifo);

} // namespace ap
