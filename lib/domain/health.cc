#include "domain/health.hh"

#include "base/error.hh"
#include "domain/process_row.hh"
#include "sys/path.hh"
#include "sys/process.hh"

#include <algorithm>
#include <cmath>
#include <sys/statvfs.h>

namespace ap {

namespace {

constexpr size_t largest_gate_file = 4096;

bool is_open(const Breaker &breaker)
{
    return breaker.state == BreakerState::Open ||
           breaker.state == BreakerState::ForcedOpen;
}

PoolHealth read_pool(Sqlite &database)
{
    PoolHealth pool;
    Statement rows = database.prepare(
        "SELECT pid, pid_started, boot_id, count(*) FROM connections GROUP BY 1, 2, 3");
    while (rows.step()) {
        (is_alive(read_process(rows, 0)) ? pool.checked_out : pool.potential_leaks) +=
            rows.integer(3);
    }
    return pool;
}

std::vector<ExecutorHealth> read_executors(Sqlite &database)
{
    std::vector<ExecutorHealth> executors;
    Statement rows = database.prepare(
        "SELECT pid, pid_started, boot_id, run_id, jobs, started_at FROM executors "
        "WHERE ended_at IS NULL ORDER BY run_id, executor_id");
    while (rows.step()) {
        executors.push_back({std::string(rows.text(3)), rows.integer(0), rows.integer(4),
                             rows.integer(5), is_alive(read_process(rows, 0))});
    }
    return executors;
}

GatewayHealth read_gateway(const StatePaths &paths)
{
    GatewayHealth gateway;
    try {
        const std::string path = join_path(paths.runs, "gate.json");
        if (!path_exists(path)) {
            return gateway;
        }
        const auto file = Json::try_parse(read_file(path, largest_gate_file));
        gateway.is_configured = file && file->is_object();
        if (gateway.is_configured) {
            gateway.url = file->get_string("url").value_or("");
            const int64_t pid = file->get_integer("pid").value_or(0);
            gateway.is_running =
                pid > 0 && process_start_time(static_cast<pid_t>(pid)).has_value();
        }
    } catch (const Error &) {
        // It went while it was read, or is not ours to read.
        gateway = {};
    }
    return gateway;
}

Json instant(const std::optional<UnixMs> &at)
{
    return at ? Json::string(format_rfc3339(*at)) : Json::null();
}

Json pool_to_json(const PoolHealth &pool)
{
    return Json::object()
        .set("is_healthy", pool.is_healthy())
        .set("status", pool.is_healthy() ? "healthy" : "unhealthy")
        .set("pool_size", pool.pool_size)
        .set("checked_out", pool.checked_out)
        .set("checked_in", pool.checked_in())
        .set("overflow", pool.overflow())
        .set("utilization_pct", Json::real(pool.utilization_pct()))
        .set("potential_leaks", pool.potential_leaks);
}

Json breakers_to_json(const std::vector<Breaker> &breakers)
{
    Json object = Json::object();
    for (const Breaker &breaker : breakers) {
        object.set(breaker.name, Json::object()
                                     .set("state", breaker_state_name(breaker.state))
                                     .set("failure_count", breaker.failure_count)
                                     .set("opened_at", instant(breaker.opened_at))
                                     .set("retry_at", instant(breaker.retry_at)));
    }
    return object;
}

Json executors_to_json(const std::vector<ExecutorHealth> &executors)
{
    Json list = Json::array();
    int64_t alive = 0;
    for (const ExecutorHealth &executor : executors) {
        alive += executor.is_alive ? 1 : 0;
        list.append(Json::object()
                        .set("run_id", executor.run_id)
                        .set("pid", executor.pid)
                        .set("jobs", executor.jobs)
                        .set("started_at", format_rfc3339(executor.started_at))
                        .set("is_alive", executor.is_alive));
    }
    return Json::object()
        .set("alive", alive)
        .set("dead", static_cast<int64_t>(executors.size()) - alive)
        .set("list", list);
}

} // namespace

int64_t PoolHealth::checked_in() const noexcept
{
    return std::max<int64_t>(0, pool_size - checked_out - potential_leaks);
}

int64_t PoolHealth::overflow() const noexcept
{
    return std::max<int64_t>(0, checked_out + potential_leaks - pool_size);
}

double PoolHealth::utilization_pct() const noexcept
{
    const auto used = static_cast<double>(checked_out + potential_leaks);
    return std::round(used * 1000.0 / static_cast<double>(pool_size)) / 10.0;
}

DiskHealth read_disk(const std::string &path)
{
    struct statvfs info = {};
    if (statvfs(path.c_str(), &info) != 0) {
        return {};
    }
    const auto unit = static_cast<int64_t>(info.f_frsize);
    return {static_cast<int64_t>(info.f_bavail) * unit,
            static_cast<int64_t>(info.f_blocks) * unit};
}

bool DiskHealth::is_low() const noexcept
{
    constexpr int64_t least = int64_t{256} << 20;
    return total_bytes > 0 && (free_bytes < least || free_bytes < total_bytes / 20);
}

Health read_health(State &state, const ServerHealth &server, const Clock &clock)
{
    Sqlite &database = state.database();
    Health health;
    health.at = clock.now();
    health.database = database_info(database);
    health.pool = read_pool(database);
    health.breakers = Breakers(database, clock).list();
    health.executors = read_executors(database);
    health.gateway = read_gateway(state.paths());
    health.disk = read_disk(state.paths().directory);
    health.server = server;
    return health;
}

std::string_view Health::status() const
{
    if (database.check_findings.value_or(0) > 0 || !pool.is_healthy()) {
        return "unhealthy";
    }
    return reasons().empty() ? "healthy" : "degraded";
}

std::vector<std::string> Health::reasons() const
{
    std::vector<std::string> reasons;
    const auto add = [&](bool holds, std::string text) {
        if (holds) {
            reasons.push_back(std::move(text));
        }
    };
    add(database.check_findings.value_or(0) > 0,
        "the last check of the database found faults: run 'ap-db check'");
    add(!pool.is_healthy(), "80 % or more of the connections are taken");
    add(pool.is_healthy() && pool.potential_leaks > 0,
        "processes died with the database open: run 'ap-db cleanup'");
    for (const Breaker &breaker : breakers) {
        add(is_open(breaker), "circuit breaker " + breaker.name + " is open");
    }
    for (const ExecutorHealth &executor : executors) {
        add(!executor.is_alive, "the executor of run " + executor.run_id + " (pid " +
                                    std::to_string(executor.pid) + ") is dead");
    }
    add(gateway.is_configured && !gateway.is_running, "the gateway is not running");
    add(server.server_errors > server_error_threshold,
        "more than 5 answers of 500 and above in 10 minutes");
    add(disk.is_low(), "the disk is nearly full");
    return reasons;
}

Json database_health_to_json(const Health &health)
{
    const DatabaseInfo &info = health.database;
    const auto integrity = [&] {
        return !info.check_findings        ? "unchecked"
               : *info.check_findings == 0 ? "ok"
                                           : "faulty";
    };
    return Json::object()
        .set("identity", info.identity)
        .set("schema_version", info.schema_version)
        .set("integrity", integrity())
        .set("checked_at", instant(info.checked_at))
        .set("findings", info.check_findings);
}

Json health_to_json(const Health &health)
{
    Json reasons = Json::array();
    for (const std::string &reason : health.reasons()) {
        reasons.append(Json::string(reason));
    }
    const ServerHealth &server = health.server;
    return Json::object()
        .set("status", health.status())
        .set("reasons", reasons)
        .set("version", AP_VERSION)
        .set("timestamp", format_rfc3339(health.at))
        .set("bind_address", server.bind_address)
        .set("database", database_health_to_json(health))
        .set("db_pool_health", pool_to_json(health.pool))
        .set("circuit_breakers", breakers_to_json(health.breakers))
        .set("executors", executors_to_json(health.executors))
        .set("gateway", Json::object()
                            .set("is_configured", health.gateway.is_configured)
                            .set("is_running", health.gateway.is_running)
                            .set("url", health.gateway.url))
        .set("rate_limiter", Json::object()
                                 .set("tracked_ips", server.tracked_ips)
                                 .set("blocked_ips", server.blocked_ips)
                                 .set("cap", server.most_tracked_ips))
        .set("http_errors",
             Json::object()
                 .set("count_10min", server.server_errors)
                 .set("threshold", server_error_threshold)
                 .set("is_alert", server.server_errors > server_error_threshold))
        .set("watchers", server.watchers)
        .set("disk", Json::object()
                         .set("free_bytes", health.disk.free_bytes)
                         .set("total_bytes", health.disk.total_bytes)
                         .set("is_low", health.disk.is_low()));
}

std::string health_to_prometheus(const Health &health)
{
    std::string text;
    const auto gauge = [&](std::string_view name, std::string_view help, int64_t value) {
        text.append("# HELP autopack_").append(name).append(" ").append(help);
        text.append("\n# TYPE autopack_").append(name).append(" gauge\nautopack_");
        text.append(name).append(" ").append(std::to_string(value)).append("\n");
    };
    const auto alive = std::count_if(health.executors.begin(), health.executors.end(),
                                     [](const auto &one) { return one.is_alive; });
    gauge("healthy", "1 if the status is healthy", health.status() == "healthy" ? 1 : 0);
    gauge("unhealthy", "1 if the status is unhealthy",
          health.status() == "unhealthy" ? 1 : 0);
    gauge("connections", "Processes that have the database open",
          health.pool.checked_out);
    gauge("connection_leaks", "Connections of dead processes",
          health.pool.potential_leaks);
    gauge("executors", "Living executors", alive);
    gauge("login_tracked_ips", "Addresses the login limiter tracks",
          health.server.tracked_ips);
    gauge("login_blocked_ips", "Addresses the login limiter blocks",
          health.server.blocked_ips);
    gauge("http_server_errors_10min", "Answers of 500 and above in 10 minutes",
          health.server.server_errors);
    gauge("event_watchers", "Clients that follow events", health.server.watchers);
    gauge("disk_free_bytes", "Free bytes where the database is", health.disk.free_bytes);
    text += "# HELP autopack_breaker_open 1 if the circuit breaker is open\n"
            "# TYPE autopack_breaker_open gauge\n";
    for (const Breaker &breaker : health.breakers) {
        // A breaker's name is an identifier, so nothing in it needs quoting.
        text += "autopack_breaker_open{name=\"" + breaker.name + "\"} " +
                (is_open(breaker) ? "1" : "0") + "\n";
    }
    return text;
}

} // namespace ap
