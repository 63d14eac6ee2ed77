#include "net/api.hh"

#include "domain/plan.hh"
#include "net/assets.hh"

namespace ap {

namespace {

constexpr auto read = AccessScope::Read;
constexpr auto operate = AccessScope::Operate;
constexpr auto admin = AccessScope::Admin;
using Way = ApiRoute::Way;

constexpr size_t small_body = 64 << 10;

constexpr ApiRoute routes[] = {
    {"GET", "/health", {}, Way::Server},
    {"GET", "/health/database", {}, Way::Server},
    {"GET", "/ready", {}, Way::Server},
    {"GET", "/metrics", read, Way::Server},
    {"GET", "/api/openapi.json", {}, Way::Read, api::openapi_document},
    {"GET", "/api/alerts", read, Way::Server},

    {"GET", "/api/runs", read, Way::Read, api::list_runs},
    {"POST", "/api/runs", admin, Way::Work, api::create_run, longest_plan},
    {"GET", "/api/runs/{run}", read, Way::Read, api::show_run},
    {"DELETE", "/api/runs/{run}", admin, Way::Work, api::delete_run},
    {"POST", "/api/runs/{run}/stop", operate, Way::Work, api::stop_run, small_body},
    {"POST", "/api/runs/{run}/abort", operate, Way::Work, api::abort_run, small_body},
    {"POST", "/api/runs/{run}/pause", operate, Way::Work, api::pause_run, small_body},
    {"POST", "/api/runs/{run}/resume", operate, Way::Work, api::resume_run, small_body},
    {"POST", "/api/runs/{run}/retry", operate, Way::Work, api::retry_run, small_body},
    {"GET", "/api/runs/{run}/log", read, Way::Log},

    {"GET", "/api/runs/{run}/phases", read, Way::Read, api::list_phases},
    {"GET", "/api/runs/{run}/phases/{phase}", read, Way::Read, api::show_phase},
    {"POST", "/api/runs/{run}/phases/{phase}/timeout", operate, Way::Work,
     api::time_out_phase, small_body},
    {"GET", "/api/runs/{run}/phases/{phase}/attempts", read, Way::Read,
     api::list_attempts},
    {"GET", "/api/runs/{run}/phases/{phase}/attempts/{number}/logs/{log}", read,
     Way::Log},

    {"GET", "/api/runs/{run}/usage", read, Way::Read, api::run_usage},
    {"GET", "/api/usage", read, Way::Read, api::usage_over_time},
    {"GET", "/api/runs/{run}/budgets", read, Way::Read, api::list_budgets},
    {"PUT", "/api/runs/{run}/budget", admin, Way::Work, api::set_run_budget, small_body},
    {"PUT", "/api/runs/{run}/phases/{phase}/budget", admin, Way::Work,
     api::set_phase_budget, small_body},

    {"GET", "/api/breakers", read, Way::Read, api::list_breakers},
    {"GET", "/api/breakers/{breaker}", read, Way::Read, api::show_breaker},
    {"POST", "/api/breakers/{breaker}/reset", operate, Way::Work, api::reset_breaker,
     small_body},
    {"POST", "/api/breakers/{breaker}/open", admin, Way::Work, api::open_breaker,
     small_body},
    {"POST", "/api/breakers/{breaker}/close", admin, Way::Work, api::close_breaker,
     small_body},

    {"GET", "/api/approvals", read, Way::Read, api::list_approvals},
    {"GET", "/api/approvals/{approval}", read, Way::Read, api::show_approval},
    {"POST", "/api/approvals/{approval}/approve", operate, Way::Work, api::approve,
     small_body},
    {"POST", "/api/approvals/{approval}/reject", operate, Way::Work, api::reject,
     small_body},

    {"GET", "/api/backups", read, Way::Work, api::list_backups},
    {"POST", "/api/backups", admin, Way::Work, api::start_backup, small_body},
    {"GET", "/api/backups/{backup}", admin, Way::Log},

    {"GET", "/api/events", read, Way::Read, api::list_events},
    {"GET", "/api/events/stream", read, Way::Events},
};

} // namespace

std::span<const ApiRoute> api_routes()
{
    return routes;
}

HttpReply api::openapi_document(HttpCall &)
{
    HttpReply reply{200, "application/json",
                    std::string(find_asset("openapi.json")->text)};
    return reply;
}

} // namespace ap
