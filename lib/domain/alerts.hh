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
    std::string subject; ///< run or breaker; empty otherwise
    std::string message;
    std::string advice;
};

/// The alerts there are now: open runs that used 80 % of their cap, more than 5 answers
/// of 500 and above in 10 minutes, open breakers, and whatever else is not healthy. At
/// most 100 runs are named.
std::vector<Alert> current_alerts(Sqlite &database, const Health &health);

Json alert_to_json(const Alert &alert);

} // namespace ap
