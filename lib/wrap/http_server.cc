#include "wrap/http_server_connection.hh"

#include "base/error.hh"
#include "sys/socket.hh"

#include <algorithm>
#include <microhttpd.h>
#include <new>
#include <sys/socket.h>
#include <utility>
#include <vector>

namespace ap {

void HttpServer::Connection::Destroy::operator()(MHD_Response *response) const noexcept
{
    MHD_destroy_response(response);
}

void HttpServer::Connection::wake()
{
    if (std::exchange(suspended_, false)) {
        MHD_resume_connection(handle_);
        if (!exchange->begun()) {
            server_.arrivals_.expect(id); // the rest of the body
        }
        server_.due_ = true;
    }
}

bool HttpServer::Connection::suspend()
{
    if (client_closed_) {
        exchange->end(false);
        return false;
    }
    suspended_ = true;
    server_.arrivals_.arrived(id); // what is wanted now has come
    MHD_suspend_connection(handle_);
    return true;
}

// While the daemon is still reading or sending it finds out by itself, and what was asked
// before the client closed its side may yet be answered.
void HttpServer::Connection::client_closed()
{
    client_closed_ = true;
    if (suspended_) {
        exchange->end(false);
        wake();
    }
}

bool HttpServer::Connection::begin(const char *method)
{
    begun = true;
    exchange->set_method(method);
    const auto add = [](void *into, MHD_ValueKind, const char *name, const char *value) {
        static_cast<HttpExchange *>(into)->add_field(
            {name, value == nullptr ? std::string_view() : value});
        return MHD_YES;
    };
    MHD_get_connection_values(handle_, MHD_HEADER_KIND, add, exchange.get());
    server_.handler_(exchange);
    if (exchange->aborted()) {
        return false;
    }
    // An answer given here costs the connection, which is right only where a body would
    // have to be read first; without one, or without an answer, proceed() comes next.
    const bool has_body = exchange->field("transfer-encoding") ||
                          exchange->field("content-length").value_or("0") != "0";
    return exchange->begun() && has_body ? queue_answer() : true;
}

bool HttpServer::Connection::take(std::string_view piece, size_t &left)
{
    if (exchange->body_paused()) {
        return suspend();
    }
    left = 0;
    exchange->take_piece(piece);
    return !exchange->aborted();
}

bool HttpServer::Connection::proceed()
{
    if (!exchange->begun()) {
        exchange->take_end();
    }
    return !exchange->aborted() && (exchange->begun() ? queue_answer() : suspend());
}

HttpServer::Connection::Response HttpServer::Connection::make_response()
{
    const HttpExchange::Answer answer = exchange->answer();
    // A whole body stays where the exchange keeps it; chunks hardly need room.
    Response response(
        answer.whole ? MHD_create_response_from_buffer(
                           answer.whole->size(), const_cast<char *>(answer.whole->data()),
                           MHD_RESPMEM_PERSISTENT)
                     : MHD_create_response_from_callback(
                           answer.length.value_or(MHD_SIZE_UNKNOWN),
                           server_.config_.connection_memory / (answer.length ? 2 : 16),
                           on_supply, this, nullptr));
    if (!response) {
        throw std::bad_alloc();
    }
    return response;
}

bool HttpServer::Connection::queue_answer()
{
    server_.arrivals_.arrived(id);
    const Response response = make_response();
    exchange->answer_fields().each([&](const char *name, const char *value) {
        // A field that is none (an empty value, a control character) is left out.
        static_cast<void>(MHD_add_response_header(response.get(), name, value));
    });
    if (server_.draining_) {
        MHD_add_response_header(response.get(), "Connection", "close");
    }
    return MHD_queue_response(handle_, static_cast<unsigned>(exchange->answer().status),
                              response.get()) == MHD_YES;
}

ssize_t HttpServer::Connection::supply(char *buffer, size_t size)
{
    size_t taken = 0;
    switch (exchange->supply(buffer, size, taken)) {
    case HttpExchange::Supply::Some:
        return static_cast<ssize_t>(taken);
    case HttpExchange::Supply::End:
        return MHD_CONTENT_READER_END_OF_STREAM;
    case HttpExchange::Supply::Later:
        if (suspend()) {
            return 0;
        }
        break;
    case HttpExchange::Supply::Cut:
        break;
    }
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

// What the library calls. Exceptions must not pass through it; the first is thrown again
// by run().
struct HttpServer::Callbacks
{
    static Connection &of(MHD_Connection *handle)
    {
        return *static_cast<Connection *>(
            MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
                ->socket_context);
    }

    static void connection(void *self, MHD_Connection *handle, void **context,
                           MHD_ConnectionNotificationCode code) noexcept
    {
        HttpServer &server = *static_cast<HttpServer *>(self);
        if (code == MHD_CONNECTION_NOTIFY_STARTED) {
            server.failure_.guard([&] { *context = &server.connected(handle); });
        } else if (*context != nullptr) {
            const uint64_t id = static_cast<Connection *>(*context)->id;
            server.arrivals_.closed(id);
            server.connections_.erase(id);
            server.due_ = true;
        }
    }

    static void *target(void *self, const char *target, MHD_Connection *handle) noexcept
    {
        HttpServer &server = *static_cast<HttpServer *>(self);
        HttpExchange *exchange = nullptr;
        server.failure_.guard([&] { exchange = server.requested(of(handle), target); });
        return exchange;
    }

    static MHD_Result request(void *self, MHD_Connection *handle, const char *,
                              const char *method, const char *, const char *upload,
                              size_t *upload_size, void **exchange) noexcept
    {
        MHD_Result result = MHD_NO;
        static_cast<HttpServer *>(self)->failure_.guard([&] {
            if (*exchange == nullptr || of(handle).exchange->over() ||
                of(handle).exchange->aborted()) {
                return;
            }
            Connection &connection = of(handle);
            const bool goes_on =
                !connection.begun ? connection.begin(method)
                : *upload_size != 0
                    ? connection.take({upload, *upload_size}, *upload_size)
                    : connection.proceed();
            result = goes_on ? MHD_YES : MHD_NO;
        });
        return result;
    }

    static void completed(void *self, MHD_Connection *handle, void **exchange,
                          MHD_RequestTerminationCode code) noexcept
    {
        if (std::exchange(*exchange, nullptr) == nullptr) {
            return;
        }
        HttpServer &server = *static_cast<HttpServer *>(self);
        Connection &connection = of(handle);
        const bool whole = code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
        server.failure_.guard([&] { connection.exchange->end(whole); });
        connection.exchange.reset();
        server.arrivals_.expect(connection.id);
        server.due_ = true; // it closes what was cut
        if (!whole) {
            // Of those with the usual time limit the daemon looks only at the one that
            // has been idle for longest; at all of those with one of their own.
            MHD_set_connection_option(handle, MHD_CONNECTION_OPTION_TIMEOUT,
                                      server.idle_seconds() + 1);
        }
    }
};

ssize_t HttpServer::Connection::on_supply(void *connection, uint64_t, char *buffer,
                                          size_t size) noexcept
{
    Connection &self = *static_cast<Connection *>(connection);
    ssize_t result = MHD_CONTENT_READER_END_WITH_ERROR;
    self.server_.failure_.guard([&] { result = self.supply(buffer, size); });
    return result;
}

void HttpServer::Stop::operator()(MHD_Daemon *daemon) const noexcept
{
    MHD_stop_daemon(daemon);
}

HttpServer::HttpServer(HttpServerConfig config, Handler handler)
    : config_(std::move(config))
    , handler_(std::move(handler))
    , arrivals_(config_.request_deadline)
{
    start();
    requests_fd_ = MHD_get_daemon_info(daemon_.get(), MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    config_.one_descriptor ? sockets_.gather(requests_fd_) : void();
}

HttpServer::~HttpServer()
{
    // What callbacks throw now has nobody to go to. The daemon must not be stopped while
    // connections are suspended.
    for (const auto &entry : connections_) {
        if (entry.second->exchange) {
            failure_.guard([&entry] { entry.second->exchange->end(false); });
        }
        entry.second->wake();
    }
}

void HttpServer::start()
{
    const auto number = [](auto value) { return static_cast<intptr_t>(value); };
    const auto function = [](auto *callback) {
        return reinterpret_cast<intptr_t>(callback);
    };
    std::vector<MHD_OptionItem> options = {
        {MHD_OPTION_CONNECTION_LIMIT, number(config_.connection_limit), nullptr},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, number(config_.connection_memory), nullptr},
        {MHD_OPTION_CONNECTION_TIMEOUT, number(idle_seconds()), nullptr},
        {MHD_OPTION_NOTIFY_CONNECTION, function(Callbacks::connection), this},
        {MHD_OPTION_NOTIFY_COMPLETED, function(Callbacks::completed), this},
        {MHD_OPTION_URI_LOG_CALLBACK, function(Callbacks::target), this},
    };
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO;
    if (const int socket = config_.listen.get(); config_.listen) {
        set_nonblocking(socket);
        options.push_back({MHD_OPTION_LISTEN_SOCKET, number(socket), nullptr});
    } else {
        flags |= MHD_USE_NO_LISTEN_SOCKET;
    }
    const bool tls = !config_.tls_certificate.empty() || !config_.tls_key.empty();
    if (tls) {
        flags |= MHD_USE_TLS;
        options.push_back({MHD_OPTION_HTTPS_MEM_CERT, 0, config_.tls_certificate.data()});
        options.push_back({MHD_OPTION_HTTPS_MEM_KEY, 0, config_.tls_key.data()});
    }
    options.push_back({MHD_OPTION_END, 0, nullptr});
    daemon_.reset(MHD_start_daemon(flags, 0, nullptr, nullptr, Callbacks::request, this,
                                   MHD_OPTION_ARRAY, options.data(), MHD_OPTION_END));
    if (!daemon_) {
        throw tls ? Error(ExitStatus::Config, "cannot start the HTTPS server: expected a "
                                              "certificate and its key in PEM")
                  : Error(ExitStatus::Unavailable, "cannot start the HTTP server");
    }
    config_.listen.release(); // the daemon closes it
}

HttpServer::Connection &HttpServer::connected(MHD_Connection *handle)
{
    const int socket =
        MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    const uint64_t id = ++last_id_;
    sockets_.add(socket, id);
    arrivals_.opened(id, socket);
    return *(connections_[id] = std::make_unique<Connection>(*this, id, handle, socket));
}

HttpExchange *HttpServer::requested(Connection &connection, const char *target)
{
    connection.exchange = std::make_shared<HttpExchange>(connection, target);
    connection.begun = false;
    active_++;
    return connection.exchange.get();
}

std::optional<std::chrono::milliseconds> HttpServer::timeout() const
{
    // A resumed connection makes no descriptor readable, nor does a place that came free.
    MHD_UNSIGNED_LONG_LONG wait = 0;
    const auto overdue = arrivals_.due_in();
    if (!due_ && MHD_get_timeout(daemon_.get(), &wait) != MHD_YES) {
        return overdue;
    }
    const std::chrono::milliseconds due(std::min<uint64_t>(due_ ? 0 : wait, 3'600'000));
    return overdue ? std::min(due, *overdue) : due;
}

void HttpServer::adopt(Fd connection)
{
    // The library keeps the address for those who ask it; it closes what it cannot take.
    constexpr sockaddr unasked{};
    static_cast<void>(MHD_add_connection(daemon_.get(), connection.release(), &unasked,
                                         sizeof unasked));
    due_ = true;
}

void HttpServer::run(bool readable)
{
    for (const uint64_t id : sockets_.hung_up(readable)) {
        arrivals_.half_closed(id);
        if (const auto found = connections_.find(id); found != connections_.end()) {
            failure_.guard([&] { found->second->client_closed(); });
        }
    }
    due_ = false;
    MHD_run(daemon_.get());
    due_ = arrivals_.cut() || due_;
    failure_.rethrow();
}

void HttpServer::drain()
{
    if (!std::exchange(draining_, true)) {
        const Fd listening(MHD_quiesce_daemon(daemon_.get()));
    }
}

std::string loaded_microhttpd_version()
{
    return MHD_get_version();
}

} // namespace ap
