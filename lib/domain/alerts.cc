#include "domain/alerts.hh"

#include "base/text.hh"

namespace ap {

namespace {

void add_token_alerts(Sqlite &database, std::vector<Alert> &alerts)
{
    // Runs that are not done only, found by the index of statuses.
    Statement rows = database.prepare(
        "SELECT r.run_id, b.tokens_used, b.token_cap FROM runs r JOIN budgets b "
        "ON b.run_id = r.run_id AND b.phase_id = '' "
        "WHERE r.status IN ('EXECUTING', 'STOPPED') AND b.token_cap > 0 "
        "AND b.tokens_used * 5 >= b.token_cap * 4 ORDER BY r.created_at DESC LIMIT 100");
    while (rows.step()) {
        const int64_t used = rows.integer(1);
        const int64_t cap = rows.integer(2);
        alerts.push_back({"tokens", std::string(rows.text(0)),
                          "run " + std::string(rows.text(0)) + " used " +
                              std::to_string(used * 100 / cap) + " % of its cap (" +
                              format_count(used) + " of " + format_count(cap) +
                              " tokens)",
                          "Review run efficiency"});
    }
}

} // namespace

std::vector<Alert> current_alerts(Sqlite &database, const Health &health)
{
    std::vector<Alert> alerts;
    add_token_alerts(database, alerts);
    if (health.server.server_errors > server_error_threshold) {
        alerts.push_back({"http-errors",
                          {},
                          std::to_string(health.server.server_errors) +
                              " answers of 500 and above in 10 minutes",
                          "Check API logs"});
    }
    for (const Breaker &breaker : health.breakers) {
        if (breaker.state == BreakerState::Open ||
            breaker.state == BreakerState::ForcedOpen) {
            alerts.push_back({"breaker", breaker.name,
                              "circuit breaker " + breaker.name + " is open" +
                                  (breaker.reason ? ": " + *breaker.reason : ""),
                              "Check external service health"});
        }
    }
    for (const std::string &reason : health.reasons()) {
        if (!reason.starts_with("circuit breaker") &&
            !reason.starts_with("more than 5 answers")) {
            alerts.push_back({"health", {}, reason, "See /health"});
        }
    }
    return alerts;
}

Json alert_to_json(const Alert &alert)
{
    return Json::object()
        .set("kind", alert.kind)
        .set("subject", alert.subject)
        .set("message", alert.message)
        .set("advice", alert.advice);
}

} // namespace ap
