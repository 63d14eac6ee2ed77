#pragma once

#include "sys/socket.hh"
#include "wrap/http_server.hh"

#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>

struct MHD_Response;

namespace ap {

/// A connection and the exchange on it. A suspended one is out of the daemon's sight;
/// that is why the sockets are watched for the client's going away besides.
class HttpServer::Connection final : public HttpConnection
{
public:
    Connection(HttpServer &server, uint64_t number, MHD_Connection *handle, int socket)
        : id(number)
        , server_(server)
        , handle_(handle)
        , peer_(peer_address(socket))
    {
    }

    void wake() override;
    void exchange_ended() noexcept override { server_.active_--; }
    std::string_view peer() const noexcept override { return peer_; }

    /// The callbacks of the library, in the order in which they come; false: the
    /// connection is to be closed.
    bool begin(const char *method);
    bool take(std::string_view piece, size_t &left);
    bool proceed();
    ssize_t supply(char *buffer, size_t size);

    void client_closed();

    const uint64_t id;
    std::shared_ptr<HttpExchange> exchange;
    bool begun = false; // the exchange was given to the handler

private:
    static ssize_t on_supply(void *connection, uint64_t position, char *buffer,
                             size_t size) noexcept;

    // False, and the exchange is over, if there is no client left to wait for.
    bool suspend();
    struct Destroy
    {
        void operator()(MHD_Response *response) const noexcept;
    };
    using Response = std::unique_ptr<MHD_Response, Destroy>;
    Response make_response();
    bool queue_answer();

    HttpServer &server_;
    MHD_Connection *const handle_;
    bool suspended_ = false;
    bool client_closed_ = false;
    std::string peer_;
};

} // namespace ap
