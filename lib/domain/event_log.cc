#include "domain/event_log.hh"

namespace ap {

namespace {

constexpr std::string_view event_columns =
    "SELECT event_id, created_at, kind, run_id, phase_id, attempt, detail FROM events ";

std::vector<Event> read_events(Statement &rows)
{
    std::vector<Event> events;
    while (rows.step()) {
        events.push_back({rows.integer(0), rows.integer(1), std::string(rows.text(2)),
                          std::string(rows.text(3)), std::string(rows.text(4)),
                          rows.optional_integer(5), std::string(rows.text(6))});
    }
    return events;
}

Json text_or_null(const std::string &text)
{
    return text.empty() ? Json::null() : Json::string(text);
}

} // namespace

int64_t newest_event(Sqlite &database)
{
    return database.query_integer("SELECT max(event_id) FROM events");
}

std::vector<Event> events_after(Sqlite &database, int64_t after, int64_t limit,
                                std::string_view run_id)
{
    Statement rows =
        database.prepare(std::string(event_columns) +
                         (run_id.empty() ? "WHERE event_id > ?1 "
                                         : "WHERE event_id > ?1 AND run_id = ?3 ") +
                         "ORDER BY event_id LIMIT ?2");
    rows.bind_all(after, limit);
    if (!run_id.empty()) {
        rows.bind(3, run_id);
    }
    return read_events(rows);
}

std::vector<Event> newest_events(Sqlite &database, int64_t limit, std::string_view run_id)
{
    Statement rows = database.prepare(std::string(event_columns) +
                                      (run_id.empty() ? "" : "WHERE run_id = ?2 ") +
                                      "ORDER BY event_id DESC LIMIT ?1");
    rows.bind_all(limit);
    if (!run_id.empty()) {
        rows.bind(2, run_id);
    }
    return read_events(rows);
}

Json event_to_json(const Event &event)
{
    auto detail = Json::try_parse(event.detail);
    return Json::object()
        .set("event_id", event.event_id)
        .set("created_at", format_rfc3339(event.created_at))
        .set("kind", event.kind)
        .set("run_id", text_or_null(event.run_id))
        .set("phase_id", text_or_null(event.phase_id))
        .set("attempt", event.attempt)
        .set("detail", detail ? std::move(*detail) : Json::object());
}

} // namespace ap
