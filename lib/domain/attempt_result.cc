#include "domain/attempt_result.hh"

#include "base/clock.hh"
#include "sys/path.hh"
#include "wrap/json.hh"

#include <utility>

namespace ap {

void write_attempt_result(State &state, int64_t attempt_id)
{
    Statement query = state.database().prepare(
        "SELECT run_id, phase_id, number, status, reason, exit_code, signal, "
        "duration_ms, "
        "cpu_ms, max_rss_kib, started_at, ended_at FROM attempts "
        "WHERE attempt_id = ?1 AND ended_at IS NOT NULL");
    query.bind_all(attempt_id);
    if (!query.step()) {
        return;
    }
    Json result = Json::object();
    result.set("run_id", query.text(0))
        .set("phase_id", query.text(1))
        .set("attempt", query.integer(2))
        .set("status", query.text(3))
        .set("reason", query.optional_text(4))
        .set("exit_code", query.optional_integer(5))
        .set("signal", query.optional_integer(6))
        .set("duration_ms", query.optional_integer(7))
        .set("cpu_ms", query.optional_integer(8))
        .set("max_rss_kib", query.optional_integer(9))
        .set("started_at", format_rfc3339(query.integer(10)))
        .set("ended_at", format_rfc3339(query.integer(11)));
    const std::string directory =
        state.paths().attempt_directory(query.text(0), query.text(1), query.integer(2));
    make_directories(directory, 0700);
    replace_file(join_path(directory, "result.json"), result.dump_pretty());
}

std::vector<int64_t> attempts_without_result(Sqlite &database, std::string_view run_id)
{
    Statement query = database.prepare("SELECT attempt_id FROM attempts INDEXED BY "
                                       "attempts_result_pending WHERE run_id = ?1 "
                                       "AND result_pending = 1 AND ended_at IS NOT NULL");
    query.bind_all(run_id);
    std::vector<int64_t> attempts;
    while (query.step()) {
        attempts.push_back(query.integer(0));
    }
    return attempts;
}

std::vector<int64_t> attempts_without_result(Sqlite &database, int64_t executor_id)
{
    Statement query =
        database.prepare("SELECT attempt_id FROM attempts WHERE executor_id = ?1 "
                         "AND result_pending = 1 AND ended_at IS NOT NULL");
    query.bind_all(executor_id);
    std::vector<int64_t> attempts;
    while (query.step()) {
        attempts.push_back(query.integer(0));
    }
    return attempts;
}

void mark_result_written(Sqlite &database, int64_t attempt_id)
{
    database.prepare("UPDATE attempts SET result_pending = 0 WHERE attempt_id = ?1")
        .bind_all(attempt_id)
        .run();
}

void PendingResults::add_left_behind(std::string_view run_id)
{
    for (const int64_t attempt : attempts_without_result(state_.database(), run_id)) {
        add(attempt);
    }
}

void PendingResults::write()
{
    for (const int64_t attempt : std::exchange(to_write_, {})) {
        write_attempt_result(state_, attempt);
        written_.push_back(attempt);
    }
}

void PendingResults::sync()
{
    if (!written_.empty()) {
        sync_file_system(state_.paths().runs);
        synced_.insert(synced_.end(), written_.begin(), written_.end());
        written_.clear();
    }
}

void PendingResults::mark_synced()
{
    for (const int64_t attempt : std::exchange(synced_, {})) {
        mark_result_written(state_.database(), attempt);
    }
}

} // namespace ap
