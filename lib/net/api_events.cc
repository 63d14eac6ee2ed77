#include "domain/event_log.hh"
#include "net/api.hh"

namespace ap {

HttpReply api::list_events(HttpCall &call)
{
    const HttpRequest &request = call.request;
    const int64_t limit = request.number("limit", 1, 1000, 100);
    const std::string run_id = request.field("run").value_or("");
    const std::vector<Event> events =
        request.field("after")
            ? events_after(call.database(), request.number("after", 0, INT64_MAX, 0),
                           limit, run_id)
            : newest_events(call.database(), limit, run_id);
    Json list = Json::array();
    for (const Event &event : events) {
        list.append(event_to_json(event));
    }
    return json_reply(Json::object().set("events", list));
}

} // namespace ap
