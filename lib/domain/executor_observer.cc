#include "domain/executor_observer.hh"

#include "base/text.hh"

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

std::string executor_event_line(const ExecutorEvent &event)
{
    std::string line = event.phase_id.empty() ? "run" : "phase " + event.phase_id;
    if (event.kind == "note") {
        return line + ": " + event.message;
    }
    line += ": " + (event.status.empty() ? event.kind.substr(event.kind.find('.') + 1)
                                         : event.status);
    if (event.attempt > 1) {
        line += " (attempt " + std::to_string(event.attempt) + ")";
    }
    if (event.kind == "phase.ended" || event.kind == "phase.retry") {
        line += " in " + format_duration(event.elapsed);
    }
    if (event.tokens > 0) {
        line += ", " + format_count(event.tokens) + " tokens";
    }
    return event.message.empty() ? line : line + ": " + event.message;
}

} // namespace ap
