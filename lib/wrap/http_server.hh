#pragma once

#include "base/exception_slot.hh"
#include "sys/arrival_watch.hh"
#include "sys/fd.hh"
#include "sys/hangup_watch.hh"
#include "wrap/http_exchange.hh"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

struct MHD_Connection;
struct MHD_Daemon;

namespace ap {

/// How a server listens and what it allows.
struct HttpServerConfig
{
    Fd listen{}; ///< a listening stream socket, TCP or Unix; none: see adopt()

    /// Connections at once; more wait in the kernel's queue.
    unsigned connection_limit = 1024;

    /// Memory of one connection in bytes. A request whose line and header fields do not
    /// fit is answered with 414 or 431; answers are sent in pieces of at most half.
    size_t connection_memory = 32768;

    /// A connection on which nothing moves is closed after this; 0: never. An exchange
    /// that waits for its answer does not count as idle.
    std::chrono::seconds idle_timeout{120};

    /// A connection that has not sent a whole request this long after the answer before
    /// is closed, however busy it is; 0: never. Time for which the handler pauses the
    /// body does not count.
    std::chrono::milliseconds request_deadline{0};

    /// Whether fd() stands for all that the server waits for. If not, requests_fd() is to
    /// be watched besides: of two descriptors in one set the loop learns for one call of
    /// the system less than of one within the other.
    bool one_descriptor = true;

    /// PEM texts; with both the server speaks TLS.
    std::string tls_certificate{};
    std::string tls_key{};
};

/// An HTTP/1.1 server (libmicrohttpd) on the caller's thread: it does something only in
/// run(). `handler` is called for each request as soon as its header is read; it answers
/// now, or keeps the exchange and answers later, from the same thread. What `handler` or
/// a callback throws comes out of run(), and the exchange is cut.
class HttpServer
{
public:
    using Handler = std::function<void(const std::shared_ptr<HttpExchange> &)>;

    /// Takes over the listening socket. Throws Error(Config) for an unusable certificate
    /// or key, Error(Unavailable) if the server cannot be started.
    HttpServer(HttpServerConfig config, Handler handler);

    /// Cuts what is under way: on_close is called for each exchange.
    ~HttpServer();
    HttpServer(const HttpServer &) = delete;
    HttpServer &operator=(const HttpServer &) = delete;

    /// Readable when run() has something to do.
    int fd() const noexcept { return sockets_.fd(); }

    /// Without one_descriptor: readable when run(false) has something to do.
    int requests_fd() const noexcept { return requests_fd_; }

    /// run() is due after this time at the latest; nothing: only when fd() is readable.
    std::optional<std::chrono::milliseconds> timeout() const;

    /// Serves a connection that somebody else has accepted. Beyond the limit, or without
    /// memory for it, it is closed.
    void adopt(Fd connection);

    /// Reads, answers and sends whatever can be now; never waits. `readable`: whether
    /// fd() may be.
    void run(bool readable = true);

    /// Accepts no more connections, and closes each that there is after its next answer.
    void drain();

    /// The exchanges that are not over.
    size_t active() const noexcept { return active_; }

    /// The connections that are open.
    size_t connections() const noexcept { return connections_.size(); }

private:
    class Connection;
    struct Callbacks;
    struct Stop
    {
        void operator()(MHD_Daemon *daemon) const noexcept;
    };

    void start();
    unsigned idle_seconds() const
    {
        return static_cast<unsigned>(config_.idle_timeout.count());
    }
    Connection &connected(MHD_Connection *handle);
    HttpExchange *requested(Connection &connection, const char *target);

    HttpServerConfig config_;
    Handler handler_;
    HangupWatch sockets_;
    ArrivalWatch arrivals_;
    uint64_t last_id_ = 0;
    std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
    size_t active_ = 0;
    bool draining_ = false;
    bool due_ = false; // run() has something to do that no descriptor tells
    ExceptionSlot failure_;
    std::unique_ptr<MHD_Daemon, Stop> daemon_;
    int requests_fd_ = -1; // the daemon's
};

/// The version of libmicrohttpd that is loaded.
std::string loaded_microhttpd_version();

} // namespace ap
