#pragma once

#include "domain/health.hh"
#include "wrap/json.hh"

#include <string>
#include <vector>

namespace ap {

/// Something a person should look at, and what to do about it.
struct Alert
{
    std::string kind;    ///< tokens, http-errors, breaker, health
    std::string subject; ///< run (of the phase) or breaker; empty otherwise
    std::string message;
    std::string advice;
};

/// The alerts there are now: open runs, phases under way and the day (UTC, `health.at`)
/// that used 80 % of a cap of tokens or money; more than 5 answers of 500 and above in 10
/// minutes; open breakers; and whatever else is not healthy. At most 100 budgets of runs
/// and phases are named, runs first.
std::vector<Alert> current_alerts(Sqlite &database, const Health &health);

Json alert_to_json(const Alert &alert);

} // namespace ap
