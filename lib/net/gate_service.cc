#include "net/gate_service.hh"

#include "base/error.hh"
#include "net/gateway.hh"
#include "sys/path.hh"
#include "sys/signals.hh"
#include "sys/socket.hh"
#include "wrap/systemd.hh"

#include <csignal>
#include <unistd.h>
#include <utility>

namespace ap {

namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr auto touch_interval = 5s;

std::vector<Fd> listening_sockets(const GateConfig &config)
{
    std::vector<Fd> sockets;
    for (PassedSocket &passed : take_passed_sockets()) {
        sockets.push_back(std::move(passed.fd));
    }
    if (!sockets.empty()) {
        return sockets;
    }
    if (config.tcp) {
        sockets.push_back(listen_tcp(config.tcp->address, config.tcp->port));
    }
    if (!config.unix_socket.empty()) {
        sockets.push_back(listen_unix(config.unix_socket));
    }
    return sockets;
}

// Where attempts find the gateway; a gateway that listens on a Unix socket alone has no
// URL.
std::string url_of(const std::vector<Fd> &sockets, const GateConfig &config)
{
    for (const Fd &socket : sockets) {
        if (const uint16_t port = local_port(socket.get()); port != 0) {
            const std::string address =
                config.tcp ? config.tcp->address : std::string("127.0.0.1");
            const bool six = address.find(':') != std::string::npos;
            const bool tls = config.tcp && !config.tcp->certificate.empty();
            const bool named = config.tcp && !config.tcp->host.empty();
            return std::string(tls ? "https://" : "http://") +
                   (named ? config.tcp->host : (six ? "[" + address + "]" : address)) +
                   ":" + std::to_string(port);
        }
    }
    return "";
}

// The file by which ap-exec and ap-ctl find the gateway.
class GateFile
{
public:
    GateFile(const StatePaths &paths, const std::string &url, const GateConfig &config)
        : path_(join_path(paths.runs, "gate.json"))
    {
        Json json = Json::object();
        if (!url.empty()) {
            json.set("url", url);
        }
        if (config.tcp && !config.tcp->ca_file.empty()) {
            json.set("ca_file", config.tcp->ca_file);
        }
        if (!config.unix_socket.empty()) {
            json.set("unix", config.unix_socket);
        }
        json.set("pid", getpid()).set("started_at", SystemClock().now());
        make_directories(paths.runs);
        write_file_atomically(path_, json.dump() + "\n", 0644);
    }
    ~GateFile()
    {
        try {
            remove_file(path_);
        } catch (const Error &) {
            // It says no more than that calls will fail.
        }
    }
    GateFile(const GateFile &) = delete;
    GateFile &operator=(const GateFile &) = delete;

private:
    std::string path_;
};

class Loop
{
public:
    Loop(const GateService &service, SignalFd &signals, Gateway &gateway, PollSet &poll)
        : service_(service)
        , signals_(signals)
        , gateway_(gateway)
        , poll_(poll)
    {
        poll_.watch(signals_.fd(), true, false);
        every(touch_interval, [this] { gateway_.touch(); });
        if (const auto interval = watchdog_interval()) {
            every(*interval, [this] {
                if (gateway_.is_alive()) {
                    notify_manager("WATCHDOG=1");
                }
            });
        }
    }

    void run()
    {
        while (!ended_ && (!draining_ || !gateway_.idle())) {
            const auto due = shorter(gateway_.timeout(), timers_.timeout());
            for (const PollSet::Ready &ready : poll_.wait(due)) {
                if (ready.fd == signals_.fd()) {
                    take_signals();
                } else {
                    gateway_.take_ready(ready);
                }
            }
            timers_.run();
            gateway_.run();
        }
    }

private:
    void every(std::chrono::milliseconds interval, std::function<void()> call)
    {
        timers_.after(interval, [this, interval, call = std::move(call)] {
            call();
            every(interval, call);
        });
    }

    void take_signals()
    {
        while (const auto signal = signals_.next()) {
            if (*signal == SIGUSR1) {
                service_.tell(gateway_.status_line());
            } else if (*signal == SIGHUP) {
                reload();
            } else if (std::exchange(draining_, true)) {
                ended_ = true;
            } else {
                drain();
            }
        }
    }

    void drain()
    {
        notify_manager("STOPPING=1");
        gateway_.drain();
        timers_.after(service_.config.drain, [this] { ended_ = true; });
    }

    void reload()
    {
        notify_reloading();
        try {
            gateway_.configure(load_gate_config(service_.config_path));
        } catch (const Error &error) {
            service_.tell(std::string(error.what()) +
                          "; the old configuration stays in force");
        }
        notify_manager("READY=1");
    }

    const GateService &service_;
    SignalFd &signals_;
    Gateway &gateway_;
    PollSet &poll_;
    Timers timers_;
    bool draining_ = false;
    bool ended_ = false;
};

} // namespace

void run_gate(const GateService &service)
{
    // A client that is gone is noticed where it is written to.
    static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
    std::vector<Fd> sockets = listening_sockets(service.config);
    const std::string url = url_of(sockets, service.config);
    // Before any thread is started: all of them have these blocked.
    SignalFd signals{SIGINT, SIGTERM, SIGHUP, SIGUSR1};
    PollSet poll;
    Gateway gateway(service.paths, service.config, std::move(sockets), poll);
    const GateFile file(service.paths, url, service.config);
    Loop loop(service, signals, gateway, poll);
    notify_manager("READY=1");
    loop.run();
    gateway.cut();
}

} // namespace ap
