#include "net/serve.hh"

#include "base/error.hh"
#include "net/bind_safety.hh"
#include "sys/path.hh"
#include "sys/socket.hh"
#include "wrap/sodium.hh"
#include "wrap/systemd.hh"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <unistd.h>

namespace ap {

namespace {

using namespace std::chrono_literals;

constexpr auto longest_drain = 10s;
constexpr unsigned most_connections = 1200;
constexpr auto idle_timeout = 30s;
constexpr auto request_deadline = 60s; // 16 MiB of a plan over a slow line
constexpr size_t largest_pem = 1 << 20;

Fd duplicate(const Fd &socket)
{
    Fd copy(fcntl(socket.get(), F_DUPFD_CLOEXEC, 3));
    if (!copy) {
        throw_errno("cannot duplicate a socket");
    }
    return copy;
}

// What no descriptor tells: answers that were given meanwhile, and what has timed out.
void run_if_due(HttpServer &server)
{
    if (server.timeout() == 0ms) {
        server.run(false);
    }
}

std::string file_path(const StatePaths &paths)
{
    return join_path(paths.runs, "serve.json");
}

} // namespace

Serve::Serve(const StatePaths &paths, ServeOptions options, const Clock &clock,
             Dispatcher::Log log)
    : paths_(paths)
    , options_(std::move(options))
    , clock_(clock)
    , log_(std::move(log))
    , signals_({SIGTERM, SIGINT, SIGHUP, SIGUSR1})
    , csrf_key_(random_bytes(32))
    , watchdog_(watchdog_interval())
{
    for (PassedSocket &passed : take_passed_sockets()) {
        passed_.push_back(std::move(passed.fd));
    }
    choice_ = choose();
    dispatcher_ = std::make_unique<Dispatcher>(paths_, clock_, log_, options_.names,
                                               choice_.address);
    listen();
    loop_.add(signals_.fd(), [this] { on_signal(); });
    for (const int fd : dispatcher_->worker_fds()) {
        loop_.add(fd, [this] { dispatcher_->deliver(); });
    }
    write_file();
}

Serve::~Serve()
{
    try {
        remove_file(file_path(paths_));
        if (options_.socket) {
            remove_file(*options_.socket);
        }
    } catch (const Error &) {
        return; // the next start replaces them
    }
}

// A socket that the service manager listens at is as dangerous as one of our own.
BindChoice Serve::choose() const
{
    BindChoice choice;
    for (const Fd &socket : passed_) {
        if (const std::string address = local_address(socket.get()); address != "unix") {
            choice = choose_bind_address(address);
        }
    }
    return !choice.address.empty() ? choice
           : passed_.empty()       ? choose_bind_address(options_.host)
                                   : BindChoice{"unix", false};
}

void Serve::listen()
{
    if (passed_.empty()) {
        add_listener(listen_tcp(choice_.address, options_.port), false);
    }
    for (Fd &socket : passed_) {
        const bool is_unix = local_address(socket.get()) == "unix";
        add_listener(std::move(socket), is_unix);
    }
    passed_.clear();
    if (options_.socket) {
        options_.socket = absolute_path(*options_.socket);
        add_listener(listen_unix(*options_.socket), true);
    }
}

void Serve::add_listener(Fd socket, bool is_unix)
{
    Listener &listener = listeners_.emplace_back();
    listener.socket = std::move(socket);
    listener.policy.is_unix_socket = is_unix;
    listener.policy.is_local_only = !choice_.needs_authentication;
    listener.policy.over_tls = !is_unix && !options_.tls_certificate.empty();
    listener.policy.csrf_key = csrf_key_;
    start(listener);
}

void Serve::start(Listener &listener)
{
    HttpServerConfig config;
    config.listen = duplicate(listener.socket);
    config.connection_limit = most_connections;
    config.one_descriptor = false;
    config.idle_timeout = idle_timeout;
    config.request_deadline = request_deadline;
    if (listener.policy.over_tls) {
        config.tls_certificate = read_file(options_.tls_certificate, largest_pem);
        config.tls_key = read_file(options_.tls_key, largest_pem);
    }
    const AuthenticationPolicy policy = listener.policy;
    auto server = std::make_unique<HttpServer>(
        std::move(config), [this, policy](const std::shared_ptr<HttpExchange> &exchange) {
            dispatcher_->handle(exchange, policy);
        });
    if (listener.server) {
        listener.server->drain();
        retired_.push_back(std::move(listener.server));
    }
    listener.server = std::move(server);
    HttpServer *const started = listener.server.get();
    loop_.add(started->fd(), [started] { started->run(); });
    loop_.add(started->requests_fd(), [started] { started->run(false); });
}

void Serve::write_file()
{
    Json file = Json::object();
    file.set("url", Json::null());
    for (const Listener &listener : listeners_) {
        if (!listener.policy.is_unix_socket) {
            const bool is_ipv6 = choice_.address.find(':') != std::string::npos;
            file.set("url",
                     (listener.policy.over_tls ? "https://" : "http://") +
                         (is_ipv6 ? "[" + choice_.address + "]" : choice_.address) + ":" +
                         std::to_string(local_port(listener.socket.get())));
        }
    }
    file.set("socket", options_.socket).set("pid", int64_t{getpid()});
    make_directories(paths_.runs, 0700);
    replace_file(file_path(paths_), file.dump() + "\n", 0644);
    log_("listening at " + file.get_string("url").value_or("the socket") +
         (options_.socket ? " and " + *options_.socket : ""));
}

void Serve::on_signal()
{
    while (const auto signal = signals_.next()) {
        if (*signal == SIGHUP) {
            reload();
        } else if (*signal == SIGUSR1) {
            log_(dispatcher_->status());
        } else if (ends_by_) {
            ends_by_ = clock_.monotonic(); // asked twice: now
        } else {
            begin_drain();
        }
    }
}

void Serve::reload()
{
    notify_reloading();
    for (Listener &listener : listeners_) {
        if (!listener.policy.over_tls) {
            continue;
        }
        try {
            start(listener);
        } catch (const Error &error) {
            log_(std::string("the certificate stays as it was: ") + error.what());
        }
    }
    notify_manager("READY=1");
}

void Serve::begin_drain()
{
    notify_manager("STOPPING=1");
    ends_by_ = clock_.monotonic() + longest_drain;
    dispatcher_->drain();
    for (const Listener &listener : listeners_) {
        listener.server->drain();
    }
}

bool Serve::is_over()
{
    if (!ends_by_) {
        return false;
    }
    const bool idle =
        dispatcher_->pending() == 0 &&
        std::all_of(listeners_.begin(), listeners_.end(),
                    [](const auto &one) { return one.server->active() == 0; });
    return idle || clock_.monotonic() >= *ends_by_;
}

std::chrono::milliseconds Serve::wait_time() const
{
    auto wait = dispatcher_->next_tick().value_or(10s);
    for (const Listener &listener : listeners_) {
        wait = std::min(wait, listener.server->timeout().value_or(wait));
    }
    if (watchdog_) {
        wait = std::min(wait, *watchdog_);
    }
    return ends_by_ ? std::min<std::chrono::milliseconds>(wait, 50ms) : wait;
}

void Serve::feed_watchdog()
{
    if (watchdog_ && clock_.monotonic() - fed_ >= *watchdog_ / 2) {
        fed_ = clock_.monotonic();
        notify_manager("WATCHDOG=1");
    }
}

void Serve::turn()
{
    loop_.run_once(wait_time());
    dispatcher_->tick();
    for (const Listener &listener : listeners_) {
        run_if_due(*listener.server);
    }
    std::erase_if(retired_, [this](const std::unique_ptr<HttpServer> &server) {
        run_if_due(*server);
        const bool is_done = server->connections() == 0;
        if (is_done) {
            loop_.remove(server->fd());
            loop_.remove(server->requests_fd());
        }
        return is_done;
    });
    feed_watchdog();
}

void Serve::run()
{
    notify_manager("READY=1\nSTATUS=serving");
    while (!is_over()) {
        try {
            turn();
        } catch (const Error &error) {
            // One exchange was cut; the others go on.
            log_(error.what());
        }
    }
}

} // namespace ap
