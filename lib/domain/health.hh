#pragma once

#include "base/clock.hh"
#include "domain/breaker.hh"
#include "domain/database_info.hh"
#include "domain/state.hh"
#include "wrap/json.hh"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// How many processes may have the database open before it counts as a leak somewhere.
inline constexpr int64_t connection_pool_size = 100;

/// The table of connections as the pool of the system before this one was reported.
struct PoolHealth
{
    int64_t pool_size = connection_pool_size;
    int64_t checked_out = 0;     ///< held by living processes
    int64_t potential_leaks = 0; ///< of processes that died; ap-db cleanup removes them

    int64_t checked_in() const noexcept;
    int64_t overflow() const noexcept;
    double utilization_pct() const noexcept; ///< of all entries, leaked ones included
    bool is_healthy() const noexcept { return utilization_pct() < 80.0; }
};

/// One executor without an end.
struct ExecutorHealth
{
    std::string run_id;
    int64_t pid = 0;
    int64_t jobs = 0;
    UnixMs started_at = 0;
    bool is_alive = false;
};

struct GatewayHealth
{
    bool is_configured = false; ///< it left its file in the runs directory
    bool is_running = false;
    std::string url;
};

struct DiskHealth
{
    int64_t free_bytes = 0;
    int64_t total_bytes = 0;

    bool is_low() const noexcept; ///< less than 5 % or 256 MiB free
};

/// The file system that `path` is on; all zero if it cannot be asked.
DiskHealth read_disk(const std::string &path);

/// What the process that serves HTTP adds of itself.
struct ServerHealth
{
    std::string bind_address;
    int64_t tracked_ips = 0; ///< of the login limiter
    int64_t blocked_ips = 0;
    int64_t most_tracked_ips = 0;
    int64_t server_errors = 0; ///< answers of 500 and above in the last 10 minutes
    int64_t watchers = 0;      ///< of events
};

/// More answers of 500 and above in 10 minutes than this are an alert.
inline constexpr int64_t server_error_threshold = 5;

struct Health
{
    UnixMs at = 0;
    DatabaseInfo database;
    PoolHealth pool;
    std::vector<Breaker> breakers;
    std::vector<ExecutorHealth> executors;
    GatewayHealth gateway;
    DiskHealth disk;
    ServerHealth server;

    /// "healthy", "degraded" (something wants looking at) or "unhealthy" (the database is
    /// damaged or its pool exhausted).
    std::string_view status() const;

    /// Why it is not healthy, for people.
    std::vector<std::string> reasons() const;
};

/// Gathers it all. What it costs depends on what is open now, never on the history.
Health read_health(State &state, const ServerHealth &server, const Clock &clock);

Json health_to_json(const Health &health);
Json database_health_to_json(const Health &health);

/// The same as Prometheus reads it (text format 0.0.4).
std::string health_to_prometheus(const Health &health);

} // namespace ap
