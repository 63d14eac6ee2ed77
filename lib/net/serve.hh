#pragma once

#include "net/bind_safety.hh"
#include "net/dispatcher.hh"
#include "sys/poll_loop.hh"
#include "sys/signals.hh"
#include "wrap/http_server.hh"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ap {

/// How ap-serve is to listen.
struct ServeOptions
{
    std::optional<std::string> host;   ///< see choose_bind_address()
    uint16_t port = 8000;              ///< 0: one that the kernel picks
    std::optional<std::string> socket; ///< path of a Unix socket besides
    std::string tls_certificate;       ///< paths of PEM files; empty: plain HTTP
    std::string tls_key;
    std::vector<std::string> names; ///< of this host in Host fields
};

/// The HTTP server: listens, or takes over what the service manager listens at, and
/// serves until SIGTERM or SIGINT; then it lets what is under way end, for ten seconds at
/// most. SIGHUP reads the certificate again, for new connections. SIGUSR1 has it tell how
/// it is. While it runs, the file serve.json in the runs directory says where it listens.
class Serve
{
public:
    Serve(const StatePaths &paths, ServeOptions options, const Clock &clock,
          Dispatcher::Log log);
    ~Serve();
    Serve(const Serve &) = delete;
    Serve &operator=(const Serve &) = delete;

    void run();

private:
    struct Listener
    {
        Fd socket; ///< kept for a reload
        AuthenticationPolicy policy;
        std::unique_ptr<HttpServer> server;
    };

    BindChoice choose() const;
    void listen();
    void add_listener(Fd socket, bool is_unix);
    void start(Listener &listener);
    void write_file();
    void on_signal();
    void reload();
    void begin_drain();
    bool is_over();
    void turn();
    std::chrono::milliseconds wait_time() const;
    void feed_watchdog();

    StatePaths paths_;
    ServeOptions options_;
    const Clock &clock_;
    Dispatcher::Log log_;
    SignalFd signals_;
    std::string csrf_key_;
    std::vector<Fd> passed_;
    BindChoice choice_;
    std::unique_ptr<Dispatcher> dispatcher_;
    PollLoop loop_;
    std::vector<Listener> listeners_;
    std::vector<std::unique_ptr<HttpServer>> retired_; ///< of before a reload
    std::optional<std::chrono::milliseconds> watchdog_;
    std::chrono::milliseconds fed_{0};
    std::optional<std::chrono::milliseconds> ends_by_;
};

} // namespace ap
