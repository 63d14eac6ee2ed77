#pragma once

#include "domain/lease.hh"
#include "domain/state.hh"

#include <string>
#include <vector>

namespace ap {

/// What a phase's process is started with.
struct PreparedCommand
{
    PlanCommand command;
    std::vector<std::string> environment; ///< entries are "NAME=value"
};

/// The phase's command with its environment: this process's, less what belongs to this
/// process alone (systemd's sockets) and less the LLM providers' keys, unless the phase
/// names an agent that needs them or lists them in pass_env; plus the phase's own
/// variables and AUTOPACK_RUN_ID, AUTOPACK_PHASE_ID, AUTOPACK_ATTEMPT, AUTOPACK_LEASE,
/// AUTOPACK_USAGE_FIFO, AUTOPACK_DB and AUTOPACK_RUNS_DIR.
///
/// With a gateway no provider's key is passed on whatever the plan says; the variables by
/// which clients find a provider lead to the gateway, with the attempt's key, and the
/// agent's template is applied. Its files go to `agent` in the attempt's directory.
/// Throws Error(Config) if the template is missing or faulty.
///
/// A phase with a goal, or that merges, executes the `ap-build` beside this program; one
/// with a goal may ask every provider.
PreparedCommand prepare_command(const Lease &lease, const StatePaths &paths,
                                const std::string &usage_fifo);

/// The same for check `index` of the phase, which gets no provider's key but those in
/// pass_env, and none for the gateway unless the phase says so.
PreparedCommand prepare_check(const Lease &lease, const StatePaths &paths,
                              const std::string &usage_fifo, size_t index);

/// The names of those variables of this process, itself one of the phase's goal, that
/// the goal's checks do not get: providers' keys, in the usual variables and in
/// `key_variables`, unless they are in pass_env; where they lead to the gateway, those
/// and the addresses, unless the phase has its checks use it.
std::vector<std::string>
withheld_from_checks(const PhaseSpec &phase,
                     const std::vector<std::string> &key_variables);

} // namespace ap
