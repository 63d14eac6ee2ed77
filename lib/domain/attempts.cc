#include "domain/attempts.hh"

#include "domain/process_row.hh"
#include "sys/directory.hh"

#include <algorithm>

namespace ap {

namespace {

Json instant(const std::optional<UnixMs> &at)
{
    return at ? Json::string(format_rfc3339(*at)) : Json::null();
}

bool is_log(std::string_view name)
{
    return name.ends_with("stdout") || name.ends_with("stderr");
}

} // namespace

std::vector<AttemptSummary> list_attempts(Sqlite &database, std::string_view run_id,
                                          std::string_view phase_id)
{
    Statement rows = database.prepare(
        "SELECT number, status, reason, exit_code, signal, duration_ms, started_at, "
        "ended_at FROM attempts WHERE run_id = ?1 AND phase_id = ?2 ORDER BY number");
    rows.bind_all(run_id, phase_id);
    std::vector<AttemptSummary> attempts;
    while (rows.step()) {
        attempts.push_back({rows.integer(0), std::string(rows.text(1)),
                            rows.optional_text(2), rows.optional_integer(3),
                            rows.optional_integer(4), rows.optional_integer(5),
                            rows.integer(6), rows.optional_integer(7)});
    }
    return attempts;
}

std::vector<OpenAttempt> list_open_attempts(Sqlite &database)
{
    Statement rows = database.prepare(
        "SELECT a.run_id, a.phase_id, a.number, a.started_at, e.pid, e.pid_started, "
        "e.boot_id FROM executors e JOIN attempts a USING (executor_id) "
        "WHERE e.ended_at IS NULL AND a.ended_at IS NULL ORDER BY 1, 2");
    std::vector<OpenAttempt> attempts;
    while (rows.step()) {
        attempts.push_back({std::string(rows.text(0)), std::string(rows.text(1)),
                            rows.integer(2), rows.integer(3), read_process(rows, 4)});
    }
    return attempts;
}

std::vector<std::string> list_attempt_logs(const StatePaths &paths,
                                           std::string_view run_id,
                                           std::string_view phase_id, int64_t number)
{
    const std::string path = paths.attempt_directory(run_id, phase_id, number);
    std::vector<std::string> names = names_in(path);
    std::erase_if(names, [](const std::string &name) { return !is_log(name); });
    std::sort(names.begin(), names.end());
    return names;
}

Json attempt_to_json(const AttemptSummary &attempt)
{
    return Json::object()
        .set("number", attempt.number)
        .set("status", attempt.status)
        .set("reason", attempt.reason)
        .set("exit_code", attempt.exit_code)
        .set("signal", attempt.signal)
        .set("duration_ms", attempt.duration_ms)
        .set("started_at", format_rfc3339(attempt.started_at))
        .set("ended_at", instant(attempt.ended_at));
}

} // namespace ap
