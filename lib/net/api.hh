#pragma once

#include "net/router.hh"

#include <span>

namespace ap {

/// Everything under /api, and what is watched: /health, /ready, /metrics. The document
/// lib/net/assets/openapi.json describes the same routes; a test compares them.
std::span<const ApiRoute> api_routes();

/// The handlers, by what they are about.
namespace api {

HttpReply list_runs(HttpCall &call);
HttpReply create_run(HttpCall &call);
HttpReply show_run(HttpCall &call);
HttpReply delete_run(HttpCall &call);
HttpReply stop_run(HttpCall &call);
HttpReply abort_run(HttpCall &call);
HttpReply pause_run(HttpCall &call);
HttpReply resume_run(HttpCall &call);
HttpReply retry_run(HttpCall &call);

HttpReply list_phases(HttpCall &call);
HttpReply show_phase(HttpCall &call);
HttpReply time_out_phase(HttpCall &call);
HttpReply list_attempts(HttpCall &call);

HttpReply run_usage(HttpCall &call);
HttpReply usage_over_time(HttpCall &call);
HttpReply list_budgets(HttpCall &call);
HttpReply set_run_budget(HttpCall &call);
HttpReply set_phase_budget(HttpCall &call);

HttpReply list_breakers(HttpCall &call);
HttpReply show_breaker(HttpCall &call);
HttpReply reset_breaker(HttpCall &call);
HttpReply open_breaker(HttpCall &call);
HttpReply close_breaker(HttpCall &call);

HttpReply list_approvals(HttpCall &call);
HttpReply show_approval(HttpCall &call);
HttpReply approve(HttpCall &call);
HttpReply reject(HttpCall &call);

HttpReply list_backups(HttpCall &call);
HttpReply start_backup(HttpCall &call);

HttpReply list_events(HttpCall &call);
HttpReply openapi_document(HttpCall &call);

} // namespace api

} // namespace ap
