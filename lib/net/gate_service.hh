#pragma once

#include "domain/state.hh"
#include "net/gate_config.hh"

#include <functional>
#include <string>

namespace ap {

/// What ap-gate is started with.
struct GateService
{
    StatePaths paths;
    std::string config_path;
    GateConfig config; ///< as read from there
    /// Is told one line for people each time: warnings, and the status when it is asked
    /// for.
    std::function<void(const std::string &)> tell;
};

/// Serves until SIGTERM or SIGINT: then it takes no more connections and waits for the
/// calls under way, up to the configured time or a second signal. SIGHUP reads the
/// configuration again, SIGUSR1 tells the status. Listens on the sockets the service
/// manager passed, else on those of the configuration, and says where in
/// `<runs>/gate.json` for as long as it lives.
void run_gate(const GateService &service);

} // namespace ap
