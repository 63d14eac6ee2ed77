#pragma once

#include "domain/breaker.hh"
#include "domain/state.hh"
#include "sys/foreground.hh"

#include <optional>
#include <string>
#include <vector>

namespace ap {

/// A command that a breaker guards.
struct GuardedCommand
{
    std::string breaker;
    std::vector<std::string> argv;
    std::optional<int64_t> slow_ms;        ///< instead of the configured one
    std::vector<int64_t> ignored_statuses; ///< tell nothing about the service
};

struct GuardedResult
{
    BreakerPermit permit;
    ForegroundResult command; ///< if permitted
    std::string report_error; ///< its result could not be reported; empty: it was
};

/// Asks the breaker, runs the command in the foreground, and reports how it went: status
/// 0 is a success, any other a failure. One that could not be started, was ended by a
/// signal passed on, or has an ignored status counts for nothing. The database is not
/// held open meanwhile.
GuardedResult run_guarded(const StatePaths &paths, std::string_view tool,
                          const GuardedCommand &command, const Clock &clock);

} // namespace ap
