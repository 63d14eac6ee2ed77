#include "domain/alerts.hh"

#include "base/text.hh"
#include "domain/budget.hh"
#include "domain/day_budget.hh"

#include <functional>
#include <optional>

namespace ap {

namespace {

// Why `used` of `cap` is an alert, if it is: four fifths are gone. 0 or less: no cap.
std::optional<std::string> near_cap(int64_t used, int64_t cap,
                                    const std::function<std::string(int64_t)> &text,
                                    const char *unit)
{
    if (cap <= 0 || used < cap - cap / 5) {
        return std::nullopt;
    }
    const auto percent =
        static_cast<int64_t>(100 * static_cast<double>(used) / static_cast<double>(cap));
    return "used " + std::to_string(percent) + " % of its cap (" + text(used) + " of " +
           text(cap) + unit + ")";
}

struct Spent
{
    int64_t tokens = 0;
    int64_t token_cap = 0;
    int64_t cost = 0; ///< microdollars, as its cap
    int64_t cost_cap = 0;
};

void add_spent(std::vector<Alert> &alerts, const std::string &subject,
               const std::string &name, const Spent &spent)
{
    for (const auto &text :
         {near_cap(spent.tokens, spent.token_cap, format_count, " tokens"),
          near_cap(spent.cost, spent.cost_cap, format_usd, "")}) {
        if (text) {
            alerts.push_back(
                {"tokens", subject, name + " " + *text, "Review run efficiency"});
        }
    }
}

void add_token_alerts(Sqlite &database, std::vector<Alert> &alerts)
{
    // What is not done only, found by the index of the runs by status and by the one of
    // the phases under way.
    Statement rows = database.prepare(
        "SELECT b.run_id, b.phase_id, b.tokens_used, b.token_cap, b.cost_used_microusd, "
        "ifnull(b.cost_cap_microusd, 0) FROM ("
        "SELECT run_id, '' AS phase_id, created_at FROM runs "
        "WHERE status IN ('EXECUTING', 'STOPPED') UNION ALL "
        "SELECT run_id, phase_id, created_at FROM phases "
        "WHERE status IN ('EXECUTING', 'GATE', 'CI_RUNNING')) w "
        "JOIN budgets b ON b.run_id = w.run_id AND b.phase_id = w.phase_id "
        "WHERE (b.token_cap > 0 AND b.tokens_used >= b.token_cap - b.token_cap / 5) OR "
        "(b.cost_cap_microusd > 0 AND "
        "b.cost_used_microusd >= b.cost_cap_microusd - b.cost_cap_microusd / 5) "
        "ORDER BY w.phase_id <> '', w.created_at DESC LIMIT 100");
    while (rows.step()) {
        const std::string run_id(rows.text(0));
        const std::string phase_id(rows.text(1));
        add_spent(alerts, run_id,
                  (phase_id.empty() ? "run " : "phase " + phase_id + " of run ") + run_id,
                  {rows.integer(2), rows.integer(3), rows.integer(4), rows.integer(5)});
    }
}

void add_day_alerts(Sqlite &database, std::vector<Alert> &alerts, UnixMs now)
{
    const DayBudget day = show_day_budget(database, day_of(now));
    add_spent(alerts, "", "the day " + day.day,
              {day.tokens_used, day.token_cap.value_or(0), day.cost_used_microusd,
               day.cost_cap_microusd.value_or(0)});
}

} // namespace

std::vector<Alert> current_alerts(Sqlite &database, const Health &health)
{
    std::vector<Alert> alerts;
    add_token_alerts(database, alerts);
    add_day_alerts(database, alerts, health.at);
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
