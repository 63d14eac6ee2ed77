#pragma once

#include "net/router.hh"

#include <optional>
#include <span>
#include <string>

namespace ap {

/// The pages for people: /dashboard and what is below it, /login, /logout, /assets.
std::span<const ApiRoute> dashboard_routes();

/// The pages, by file.
namespace dashboard {

HttpReply start(HttpCall &call);
HttpReply asset(HttpCall &call);

HttpReply overview(HttpCall &call);
HttpReply run_page(HttpCall &call);
HttpReply phase_page(HttpCall &call);

HttpReply approval_page(HttpCall &call);
HttpReply approve(HttpCall &call);
HttpReply reject(HttpCall &call);
HttpReply back_up(HttpCall &call);

/// What waits for an answer, and what backups there are, as parts of the overview.
std::string approvals_section(HttpCall &call);
std::string backups_section(HttpCall &call);

/// The page that asks before something is done; nothing if it is confirmed.
std::optional<HttpReply> confirmation(const HttpRequest &request, const std::string &what,
                                      const std::string &back);

HttpReply run_action(HttpCall &call);
HttpReply time_out_phase(HttpCall &call);
HttpReply reset_breaker(HttpCall &call);

HttpReply login_page(HttpCall &call);
HttpReply log_in(HttpCall &call);
HttpReply log_out(HttpCall &call);

} // namespace dashboard

} // namespace ap
