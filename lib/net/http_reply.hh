#pragma once

#include "base/error.hh"
#include "wrap/http_exchange.hh"
#include "wrap/json.hh"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ap {

/// A whole answer, made before anything of it is sent.
struct HttpReply
{
    int status = 200;
    std::string type = "application/json";
    std::string body{};
    std::vector<std::pair<std::string, std::string>> fields{};

    HttpReply &add(std::string_view name, std::string_view value);
};

HttpReply json_reply(const Json &value, int status = 200);
HttpReply html_reply(std::string html, int status = 200);

/// Sends the browser on with GET.
HttpReply redirect_reply(std::string_view location);

/// An error as RFC 9457 has it (application/problem+json).
HttpReply problem_reply(int status, std::string_view detail);

/// The same for what a handler threw. What is the server's own fault is not told in
/// detail.
HttpReply problem_of(const std::exception &error);

/// The reason phrase of a status this server gives.
std::string_view status_title(int status);

/// Sends `reply` with the fields that every answer has (security, caching).
/// `over_tls` adds Strict-Transport-Security.
void send_reply(HttpExchange &exchange, HttpReply reply, bool over_tls);

/// The fields every answer has, for answers that are streamed.
std::vector<HttpField> common_fields(bool over_tls);

} // namespace ap
