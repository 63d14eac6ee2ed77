#pragma once

#include "domain/call_archive.hh"
#include "wrap/http_server.hh"

#include <functional>
#include <memory>
#include <string>

namespace ap {

/// Serves recorded calls back as a provider would have: the upstream of a run that is
/// executed again without spending. A recording that was cut off is cut off again. A
/// request that matches none is answered with 400, which no client tries again, and a
/// message that says so in the shape of all providers' errors.
class Replay
{
public:
    /// `complain` is called with a line for each request that matched nothing.
    Replay(CallArchive archive, HttpServerConfig config,
           std::function<void(const std::string &)> complain);

    HttpServer &server() noexcept { return server_; }
    const CallArchive &archive() const noexcept { return archive_; }
    size_t unmatched() const noexcept { return unmatched_; }

private:
    void take(const std::shared_ptr<HttpExchange> &exchange);
    void answer(HttpExchange &exchange, const std::string &body);
    void refuse(HttpExchange &exchange, const std::string &body);

    CallArchive archive_;
    std::function<void(const std::string &)> complain_;
    size_t unmatched_ = 0;
    HttpServer server_;
};

} // namespace ap
