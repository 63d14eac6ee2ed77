#include "base/text.hh"
#include "domain/approval.hh"
#include "net/api.hh"

namespace ap {

namespace {

constexpr int64_t most_in_a_page = 200;

int64_t id_of(HttpCall &call)
{
    const auto id = parse_integer(call.request.parameter("approval"), 1, INT64_MAX);
    if (!id) {
        throw Error(ExitStatus::NoInput, "no such approval");
    }
    return *id;
}

HttpReply decide(HttpCall &call, bool approved)
{
    const Json body = call.request.json_body({"comment"});
    const ApprovalDecision decision{approved, call.request.principal.name,
                                    body.get_string("comment").value_or("")};
    return json_reply(approval_to_json(
        decide_approval(call.state, id_of(call), decision, call.clock), true));
}

} // namespace

HttpReply api::list_approvals(HttpCall &call)
{
    const HttpRequest &request = call.request;
    const std::string state = request.field("state").value_or("pending");
    if (state != "pending" && state != "all") {
        throw UsageError("state: expected pending or all, got '" + printable(state) +
                         "'");
    }
    ApprovalFilter filter;
    filter.decided = state == "all";
    filter.run_id = request.field("run");
    filter.limit = request.number("limit", 1, most_in_a_page, 50);
    if (request.field("before")) {
        filter.before = request.number("before", 1, INT64_MAX, 1);
    }
    Json list = Json::array();
    for (const Approval &approval :
         ap::list_approvals(call.database(), filter, call.clock)) {
        list.append(approval_to_json(approval, false));
    }
    return json_reply(Json::object().set("approvals", list));
}

HttpReply api::show_approval(HttpCall &call)
{
    return json_reply(approval_to_json(
        ap::show_approval(call.database(), id_of(call), call.clock), true));
}

HttpReply api::approve(HttpCall &call)
{
    return decide(call, true);
}

HttpReply api::reject(HttpCall &call)
{
    return decide(call, false);
}

} // namespace ap
