#pragma once

#include "net/router.hh"

#include <span>

namespace ap {

/// The pages for people: /dashboard and what is below it, /login, /logout, /assets.
std::span<const Route> dashboard_routes();

/// The pages, by file.
namespace dashboard {

HttpReply start(HttpCall &call);
HttpReply asset(HttpCall &call);

HttpReply overview(HttpCall &call);
HttpReply run_page(HttpCall &call);
HttpReply phase_page(HttpCall &call);

HttpReply run_action(HttpCall &call);
HttpReply time_out_phase(HttpCall &call);
HttpReply reset_breaker(HttpCall &call);

HttpReply login_page(HttpCall &call);
HttpReply log_in(HttpCall &call);
HttpReply log_out(HttpCall &call);

} // namespace dashboard

} // namespace ap
