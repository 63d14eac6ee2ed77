#include "base/text.hh"
#include "domain/attempts.hh"
#include "domain/run.hh"
#include "net/api.hh"

#include <algorithm>

namespace ap {

namespace {

Json attempts_of(HttpCall &call, const std::string &run_id, const std::string &phase_id)
{
    Json list = Json::array();
    for (const AttemptSummary &attempt :
         ap::list_attempts(call.database(), run_id, phase_id)) {
        Json logs = Json::array();
        for (const std::string &name :
             list_attempt_logs(call.state.paths(), run_id, phase_id, attempt.number)) {
            logs.append(Json::string(name));
        }
        list.append(attempt_to_json(attempt).set("logs", logs));
    }
    return list;
}

} // namespace

HttpReply api::list_phases(HttpCall &call)
{
    const std::string &run_id = call.request.parameter("run");
    static_cast<void>(ap::show_run(call.database(), run_id));
    Json list = Json::array();
    for (const PhaseSummary &phase : ap::list_phases(call.database(), run_id)) {
        list.append(phase_to_json(phase));
    }
    return json_reply(Json::object().set("phases", list));
}

HttpReply api::show_phase(HttpCall &call)
{
    const std::string &run_id = call.request.parameter("run");
    const std::string &phase_id = call.request.parameter("phase");
    const PhaseSummary phase = ap::show_phase(call.database(), run_id, phase_id);
    return json_reply(
        phase_to_json(phase).set("attempt_list", attempts_of(call, run_id, phase_id)));
}

HttpReply api::list_attempts(HttpCall &call)
{
    const std::string &run_id = call.request.parameter("run");
    const std::string &phase_id = call.request.parameter("phase");
    static_cast<void>(ap::show_phase(call.database(), run_id, phase_id));
    return json_reply(
        Json::object().set("attempts", attempts_of(call, run_id, phase_id)));
}

} // namespace ap
