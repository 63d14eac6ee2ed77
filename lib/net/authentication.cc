#include "net/authentication.hh"

#include "domain/api_tokens.hh"
#include "domain/users.hh"
#include "net/bind_safety.hh"
#include "net/request_target.hh"
#include "wrap/sodium.hh"

namespace ap {

namespace {

bool has_accounts(Sqlite &database)
{
    return database.query_integer(
               "SELECT EXISTS (SELECT 1 FROM users) OR EXISTS "
               "(SELECT 1 FROM api_tokens WHERE revoked_at IS NULL)") != 0;
}

std::string csrf_of(const AuthenticationPolicy &policy, std::string_view who)
{
    return blake2b_hex(policy.csrf_key + ":" + std::string(who));
}

Principal by_token(Sqlite &database, std::string_view secret, const Clock &clock)
{
    const auto token = find_api_token(database, secret, clock);
    if (!token) {
        return {};
    }
    Principal principal{Principal::Kind::Token, token->name, token->scope};
    principal.token_id = is_use_to_be_noted(*token, clock.now()) ? token->token_id : 0;
    return principal;
}

} // namespace

std::string session_cookie_name(bool over_tls)
{
    // The prefix has browsers refuse it from any other host, and without TLS.
    return over_tls ? "__Host-ap_session" : "ap_session";
}

std::string session_cookie(std::string_view secret, bool over_tls)
{
    return session_cookie_name(over_tls) + "=" + std::string(secret) +
           "; Path=/; HttpOnly; SameSite=Strict; Max-Age=" +
           std::to_string(secret.empty() ? 0 : session_ms / 1000) +
           (over_tls ? "; Secure" : "");
}

std::string_view session_secret(const HttpExchange &exchange, bool over_tls)
{
    const auto cookies = exchange.field("cookie");
    return cookies ? find_cookie(*cookies, session_cookie_name(over_tls)).value_or("")
                   : std::string_view();
}

Principal authenticate(Sqlite &database, const HttpExchange &exchange,
                       const AuthenticationPolicy &policy, const Clock &clock)
{
    using Kind = Principal::Kind;
    constexpr std::string_view bearer = "Bearer ";
    if (policy.is_unix_socket) {
        return {Kind::Socket, "socket", AccessScope::Admin, csrf_of(policy, "socket")};
    }
    if (const auto field = exchange.field("authorization")) {
        return field->starts_with(bearer)
                   ? by_token(database, field->substr(bearer.size()), clock)
                   : Principal{};
    }
    if (const auto secret = session_secret(exchange, policy.over_tls); !secret.empty()) {
        if (const auto user = session_user(database, secret, clock)) {
            return {Kind::Session, user->name, user->scope, csrf_of(policy, secret)};
        }
    }
    if (policy.is_local_only && !has_accounts(database)) {
        return {Kind::Local, "local", AccessScope::Operate, csrf_of(policy, "local")};
    }
    return {};
}

bool is_intended(const HttpExchange &exchange, const Principal &principal,
                 std::string_view form_token, bool is_form)
{
    if (is_cross_site(exchange.field("sec-fetch-site"), exchange.field("origin"),
                      exchange.field("host"))) {
        return false;
    }
    const bool needs_token = is_form || principal.kind == Principal::Kind::Session;
    const auto header = exchange.field("x-csrf-token");
    return !needs_token || principal.kind == Principal::Kind::Token ||
           (!principal.csrf.empty() &&
            equal_secrets(principal.csrf, header ? *header : form_token));
}

} // namespace ap
