#pragma once

#include "domain/login_limiter.hh"
#include "domain/state.hh"
#include "net/authentication.hh"
#include "net/backups.hh"
#include "net/error_window.hh"
#include "net/event_hub.hh"
#include "net/log_streams.hh"
#include "net/router.hh"
#include "sys/worker.hh"
#include "wrap/http_exchange.hh"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// Answers requests: checks host, path, principal and intent, and has the route's handler
/// answer, on this thread if it is quick or else on a worker's. One for all servers of a
/// process; all calls on one thread.
class Dispatcher
{
public:
    /// Where lines for the server's log go: what failed, and who may not log in.
    using Log = std::function<void(std::string_view)>;

    /// `names`: under which the server is known besides numeric addresses and localhost.
    Dispatcher(const StatePaths &paths, const Clock &clock, Log log,
               std::vector<std::string> names, std::string bind_address);

    /// Answers a request that came in under `policy`, now or later.
    void handle(const std::shared_ptr<HttpExchange> &exchange,
                const AuthenticationPolicy &policy);

    /// The workers' descriptors; deliver() is due when one is readable.
    std::vector<int> worker_fds() const;
    void deliver();

    /// Tells who follows what is new; due after next_tick() at the latest.
    void tick();
    std::optional<std::chrono::milliseconds> next_tick() const;

    /// Ends the streams, and says in /ready that it is going.
    void drain();

    /// Requests a worker has.
    size_t pending();

    /// One line about how it is, for SIGUSR1.
    std::string status();

private:
    using Exchange = std::shared_ptr<HttpExchange>;

    /// A request on its way through the checks.
    struct Passage
    {
        Exchange exchange;
        AuthenticationPolicy policy;
        const ApiRoute *route = nullptr;
        HttpRequest request{};
    };
    using PassageRef = std::shared_ptr<Passage>;

    void admit(const PassageRef &passage);
    bool find(Passage &passage);
    bool authorize(Passage &passage);
    void read_body(const PassageRef &passage);
    void proceed(const PassageRef &passage);
    void answer(const PassageRef &passage);
    void hand_over(const PassageRef &passage, Worker &worker, State &state);
    void log_in(const PassageRef &passage);
    void open_log(Passage &passage);
    HttpReply answer_by_server(Passage &passage);
    void fail(Passage &passage, const std::exception &error);
    void refuse(Passage &passage, int status, std::string_view detail);
    void send(Passage &passage, HttpReply reply);
    void note_token(const Principal &principal);
    ServerHealth server_health();
    const Health &health();

    const Clock &clock_;
    Log log_;
    std::vector<std::string> names_;
    std::string bind_address_;
    std::vector<ApiRoute> routes_;
    State read_state_;
    State work_state_;
    State login_state_;
    Backups backups_;
    EventHub events_;
    LogStreams logs_;
    LoginLimiter limiter_;
    ErrorWindow errors_;
    Health health_;
    std::string health_text_;
    std::optional<std::chrono::milliseconds> health_read_;
    bool draining_ = false;
    std::chrono::milliseconds logs_ticked_{0};
    std::chrono::milliseconds touched_{0};
    Worker worker_;
    Worker login_worker_;
};

} // namespace ap
