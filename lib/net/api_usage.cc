#include "base/text.hh"
#include "domain/budget.hh"
#include "domain/control.hh"
#include "domain/run.hh"
#include "domain/usage_report.hh"
#include "net/api.hh"

namespace ap {

namespace {

Json model_to_json(const ModelUsage &usage)
{
    return usage_sums_to_json(usage.sums).set("model", usage.model);
}

Json by_model(const std::vector<ModelUsage> &list)
{
    Json models = Json::array();
    for (const ModelUsage &usage : sum_by_model(list)) {
        models.append(model_to_json(usage));
    }
    return models;
}

HttpReply set_budget_of(HttpCall &call, const std::string &phase_id)
{
    const std::string &run_id = call.request.parameter("run");
    const Json body = call.request.json_body({"token_cap", "cost_cap_microusd"});
    const auto amount = [&](std::string_view name,
                            int64_t low) -> std::optional<int64_t> {
        const Json member = body.get(name);
        if (!member) {
            return std::nullopt;
        }
        if (!member.is_integer() || member.as_integer() < low ||
            member.as_integer() > largest_amount) {
            throw Error(ExitStatus::BadData, "body: " + std::string(name) +
                                                 ": expected a whole number from " +
                                                 std::to_string(low) + " to " +
                                                 std::to_string(largest_amount));
        }
        return member.as_integer();
    };
    BudgetChange change;
    change.token_cap = amount("token_cap", 0);
    change.cost_cap_microusd =
        body.get("cost_cap_microusd").is_null() ? -1 : amount("cost_cap_microusd", 0);
    if (!change.token_cap && !change.cost_cap_microusd) {
        throw Error(ExitStatus::BadData,
                    "body: expected token_cap, cost_cap_microusd or both");
    }
    set_budget(call.database(), run_id, phase_id, change);
    wake_executors(call.state.paths(), run_id);
    return json_reply(budget_to_json(show_budget(call.database(), run_id, phase_id)));
}

} // namespace

HttpReply api::run_usage(HttpCall &call)
{
    const std::string &run_id = call.request.parameter("run");
    static_cast<void>(ap::show_run(call.database(), run_id));
    const std::vector<ModelUsage> list = usage_of_run(call.database(), run_id);
    Json phases = Json::array();
    UsageSums total;
    for (const ModelUsage &usage : list) {
        total += usage.sums;
        phases.append(model_to_json(usage).set("phase_id", usage.phase_id));
    }
    return json_reply(Json::object()
                          .set("run_id", run_id)
                          .set("total", usage_sums_to_json(total))
                          .set("by_model", by_model(list))
                          .set("by_phase_and_model", phases));
}

HttpReply api::usage_over_time(HttpCall &call)
{
    const std::string step = call.request.field("by").value_or("day");
    if (step != "hour" && step != "day") {
        throw UsageError("by: expected hour or day, got '" + printable(step) + "'");
    }
    const int64_t step_ms = step == "day" ? day_ms : hour_ms;
    const int64_t count = call.request.number("last", 1, 366, step == "day" ? 30 : 48);
    const UnixMs now = call.clock.now();
    const UnixMs until = now - now % step_ms + step_ms;
    const std::vector<ModelUsage> list =
        ap::usage_over_time(call.database(), until - count * step_ms, until, step_ms);
    Json rows = Json::array();
    for (const ModelUsage &usage : list) {
        rows.append(model_to_json(usage).set("at", format_rfc3339(usage.at)));
    }
    return json_reply(Json::object()
                          .set("by", step)
                          .set("from", format_rfc3339(until - count * step_ms))
                          .set("until", format_rfc3339(until))
                          .set("usage", rows)
                          .set("by_model", by_model(list)));
}

HttpReply api::list_budgets(HttpCall &call)
{
    Json list = Json::array();
    for (const Budget &budget :
         ap::list_budgets(call.database(), call.request.parameter("run"))) {
        list.append(budget_to_json(budget));
    }
    return json_reply(Json::object().set("budgets", list));
}

HttpReply api::set_run_budget(HttpCall &call)
{
    return set_budget_of(call, "");
}

HttpReply api::set_phase_budget(HttpCall &call)
{
    return set_budget_of(call, call.request.parameter("phase"));
}

} // namespace ap
