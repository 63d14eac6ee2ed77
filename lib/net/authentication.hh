#pragma once

#include "domain/state.hh"
#include "net/http_request.hh"
#include "wrap/http_exchange.hh"

#include <string>
#include <string_view>

namespace ap {

/// How a server knows who asks.
struct AuthenticationPolicy
{
    bool is_unix_socket = false; ///< whoever may connect is the database's owner
    bool is_local_only = true;   ///< it listens on a loopback address
    bool over_tls = false;
    std::string csrf_key{}; ///< random, of this process
};

/// The cookie that holds a session's secret.
std::string session_cookie_name(bool over_tls);

/// The Set-Cookie field for a session; an empty secret takes it away.
std::string session_cookie(std::string_view secret, bool over_tls);

/// Who asks: by the Unix socket, an API token, or a session. On a loopback address, as
/// long as there are neither users nor tokens, everybody is "local" and may operate: one
/// person's machine needs no login, but what executes commands or deletes takes the
/// socket, a user or a token. Throws nothing for a bad token: that is nobody.
Principal authenticate(Sqlite &database, const HttpExchange &exchange,
                       const AuthenticationPolicy &policy, const Clock &clock);

/// The session's secret in the request's cookie; empty without one.
std::string_view session_secret(const HttpExchange &exchange, bool over_tls);

/// Whether an unsafe request may be what its principal wants (CSRF): no page of elsewhere
/// sent it, and one with a session brings the session's token along, in the field
/// X-CSRF-Token or as `form_token`. A program that authenticates by token or socket, and
/// sends neither Origin nor Sec-Fetch-Site, needs none.
bool is_intended(const HttpExchange &exchange, const Principal &principal,
                 std::string_view form_token, bool is_form);

} // namespace ap
