#include "domain/executor_observer.hh"

namespace ap {

Json executor_event_to_json(const ExecutorEvent &event, std::string_view run_id,
                            UnixMs at)
{
    Json json = Json::object();
    json.set("at", format_rfc3339(at)).set("event", event.kind).set("run_id", run_id);
    if (!event.phase_id.empty()) {
        json.set("phase_id", event.phase_id);
    }
    if (event.attempt > 0) {
        json.set("attempt", event.attempt);
    }
    if (!event.status.empty()) {
        json.set("status", event.status);
    }
    if (!event.message.empty()) {
        json.set("message", event.message);
    }
    if (event.kind == "phase.ended" || event.kind == "phase.retry") {
        json.set("duration_ms", event.elapsed.count()).set("tokens", event.tokens);
    }
    return json;
}

} // namespace ap
