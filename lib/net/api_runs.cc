#include "base/text.hh"
#include "domain/config.hh"
#include "domain/control_request.hh"
#include "domain/plan.hh"
#include "domain/run.hh"
#include "net/api.hh"
#include "net/request_target.hh"

namespace ap {

namespace {

constexpr int64_t most_in_a_page = 200;

// "<created_at>.<run_id>"; an identifier may have dots itself.
RunCursor read_cursor(const std::string &text)
{
    const size_t dot = text.find('.');
    const auto at = parse_integer(std::string_view(text).substr(0, dot), 0, INT64_MAX);
    if (!at || dot == std::string::npos || !is_identifier(text.substr(dot + 1))) {
        throw UsageError("cursor: expected one that a list gave, got '" +
                         printable(text) + "'");
    }
    return {*at, text.substr(dot + 1)};
}

// 202: an executor still has to act; the events tell when it did.
HttpReply control(HttpCall &call, ControlVerb verb, const std::string &phase_id = {})
{
    ControlRequest request;
    request.run_id = call.request.parameter("run");
    request.verb = verb;
    request.phase_id = phase_id;
    request.source = "api";
    const std::string outcome = request_control(call.state, request, call.clock);
    return json_reply(Json::object()
                          .set("run_id", request.run_id)
                          .set("verb", control_verb_name(verb))
                          .set("outcome", outcome),
                      outcome == "recorded" ? 202 : 200);
}

} // namespace

HttpReply api::list_runs(HttpCall &call)
{
    const HttpRequest &request = call.request;
    RunFilter filter;
    filter.status = request.field("status");
    filter.limit = request.number("limit", 1, most_in_a_page, 50);
    if (const auto cursor = request.field("cursor")) {
        filter.after = read_cursor(*cursor);
    }
    Json list = Json::array();
    const std::vector<RunSummary> runs = ap::list_runs(call.database(), filter);
    for (const RunSummary &run : runs) {
        list.append(run_to_json(run));
    }
    const bool is_full = static_cast<int64_t>(runs.size()) == filter.limit;
    return json_reply(
        Json::object()
            .set("runs", list)
            .set("next_cursor",
                 is_full ? std::optional(std::to_string(runs.back().created_at) + "." +
                                         runs.back().run_id)
                         : std::nullopt));
}

HttpReply api::create_run(HttpCall &call)
{
    const std::string &text = call.request.body;
    const Plan plan = parse_plan(text, "plan", call.request.field("run_id"));
    const Config config = load_config(call.state.paths());
    ap::create_run(call.database(), plan, text, config.token_caps, call.clock);
    HttpReply reply =
        json_reply(run_to_json(ap::show_run(call.database(), plan.run_id)), 201);
    reply.add("Location", "/api/runs/" + encode_percent(plan.run_id));
    return reply;
}

HttpReply api::show_run(HttpCall &call)
{
    const std::string &run_id = call.request.parameter("run");
    Json phases = Json::array();
    Json run = run_to_json(ap::show_run(call.database(), run_id));
    for (const PhaseSummary &phase : ap::list_phases(call.database(), run_id)) {
        phases.append(phase_to_json(phase));
    }
    return json_reply(run.set("phase_list", phases));
}

HttpReply api::delete_run(HttpCall &call)
{
    ap::delete_run(call.state, call.request.parameter("run"));
    return {204, "application/json", ""};
}

HttpReply api::stop_run(HttpCall &call)
{
    return control(call, ControlVerb::Stop);
}

HttpReply api::abort_run(HttpCall &call)
{
    return control(call, ControlVerb::Abort);
}

HttpReply api::pause_run(HttpCall &call)
{
    return control(call, ControlVerb::Pause);
}

HttpReply api::resume_run(HttpCall &call)
{
    return control(call, ControlVerb::Resume);
}

HttpReply api::time_out_phase(HttpCall &call)
{
    return control(call, ControlVerb::Timeout, call.request.parameter("phase"));
}

HttpReply api::retry_run(HttpCall &call)
{
    const Json body = call.request.json_body({"phase_id"});
    const int64_t queued = ap::retry_run(call.database(), call.request.parameter("run"),
                                         body.get_string("phase_id"));
    return json_reply(Json::object().set("phases_queued", queued));
}

} // namespace ap
