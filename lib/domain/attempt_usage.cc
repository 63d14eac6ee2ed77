#include "domain/attempt_usage.hh"

#include "base/text.hh"
#include "domain/budget.hh"
#include "sys/fifo.hh"
#include "sys/fifo_spool.hh"
#include "sys/path.hh"

#include <algorithm>

namespace ap {

namespace {

UsageFiles files_of(const StatePaths &paths, const Lease &lease)
{
    return usage_files(
        paths.attempt_directory(lease.run_id, lease.phase.id, lease.number));
}

void reject(Sqlite &database, const Lease &lease, std::string_view line,
            std::string_view reason)
{
    append_event(
        database, "usage.rejected", lease.run_id, lease.phase.id, lease.number,
        Json::object().set("line", printable(line, 80)).set("reason", reason).dump());
}

void record_line(Sqlite &database, const Lease &lease, std::string_view line,
                 const Clock &clock)
{
    try {
        const Usage usage = usage_from_json(Json::parse(line, "usage"));
        record_usage(database, {lease.run_id, lease.phase.id, lease.number, "fifo", {}},
                     usage, clock);
    } catch (const SqliteError &) {
        throw;
    } catch (const Error &error) {
        reject(database, lease, line, error.what());
    }
}

int64_t usage_read(Sqlite &database, int64_t attempt_id)
{
    Statement query =
        database.prepare("SELECT usage_read FROM attempts WHERE attempt_id = ?1");
    query.bind_all(attempt_id);
    return query.step() ? query.integer(0) : 0;
}

} // namespace

UsageFiles usage_files(const std::string &directory)
{
    return {join_path(directory, "usage.fifo"), join_path(directory, "usage.spool")};
}

void mark_usage_read(Sqlite &database, int64_t attempt_id, int64_t bytes)
{
    database
        .prepare("UPDATE attempts SET usage_read = ?2 WHERE attempt_id = ?1 "
                 "AND usage_read < ?2")
        .bind_all(attempt_id, bytes)
        .run();
}

void save_left_usage(const StatePaths &paths, const Lease &lease)
{
    const UsageFiles files = files_of(paths, lease);
    if (!path_exists(files.fifo)) {
        return;
    }
    const Fd fifo = open_fifo(files.fifo);
    if (const int error = move_to_spool(fifo.get(), files.spool.c_str())) {
        throw SystemError("cannot write '" + files.spool + "'", error);
    }
}

void record_left_usage(State &state, const Lease &lease, const Clock &clock)
{
    Sqlite &database = state.database();
    const std::string spool = files_of(state.paths(), lease).spool;
    const int64_t from = usage_read(database, lease.attempt_id);
    const int64_t end = read_spool(
        spool, from,
        [&](std::string_view line) { record_line(database, lease, line, clock); },
        [&](std::string_view line) {
            reject(database, lease, line, "longer than 64 KiB");
        });
    mark_usage_read(database, lease.attempt_id, end);
}

void remove_usage_files(const StatePaths &paths, const Lease &lease)
{
    const UsageFiles files = files_of(paths, lease);
    remove_file(files.fifo);
    remove_file(files.spool);
}

} // namespace ap
