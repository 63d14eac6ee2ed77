#include "domain/alerts.hh"
#include "domain/api_tokens.hh"
#include "domain/run.hh"
#include "net/dispatcher.hh"
#include "net/html.hh"
#include "sys/path.hh"

namespace ap {

namespace {

using namespace std::chrono_literals;

// Who asks more often than this gets the same answer.
constexpr auto health_lasts = 100ms;

} // namespace

void Dispatcher::answer(const PassageRef &passage)
{
    switch (passage->route->way) {
    case ApiRoute::Way::Read: {
        HttpCall call{read_state_, clock_, passage->request, server_health(), backups_};
        send(*passage, passage->route->answer(call));
        break;
    }
    case ApiRoute::Way::Work:
        hand_over(passage, worker_, work_state_);
        break;
    case ApiRoute::Way::Login:
        log_in(passage);
        break;
    case ApiRoute::Way::Events:
        events_.open(passage->exchange, passage->request, passage->policy.over_tls);
        break;
    case ApiRoute::Way::Log:
        open_log(*passage);
        break;
    case ApiRoute::Way::Server:
        send(*passage, answer_by_server(*passage));
        break;
    }
}

void Dispatcher::hand_over(const PassageRef &passage, Worker &worker, State &state)
{
    const ServerHealth server = server_health();
    const bool taken = worker.submit([this, passage, server, &state]() -> Worker::Answer {
        try {
            HttpCall call{state, clock_, passage->request, server, backups_};
            return [this, passage, reply = passage->route->answer(call)] {
                send(*passage, reply);
            };
        } catch (const std::exception &) {
            return [this, passage, failure = std::current_exception()] {
                try {
                    std::rethrow_exception(failure);
                } catch (const std::exception &error) {
                    fail(*passage, error);
                }
            };
        }
    });
    if (!taken) {
        HttpReply reply = problem_reply(503, "too much is being done at once");
        send(*passage, std::move(reply.add("Retry-After", "1")));
    }
}

void Dispatcher::log_in(const PassageRef &passage)
{
    const LoginLimiter::Verdict verdict =
        limiter_.admit(passage->request.peer, clock_.monotonic());
    if (verdict.allowed) {
        hand_over(passage, login_worker_, login_state_);
        return;
    }
    const auto seconds = (verdict.retry_after.count() + 999) / 1000;
    log_("logins from " + passage->request.peer + " are held off for " +
         std::to_string(seconds) + " s");
    HttpReply reply = error_page(passage->request, 429,
                                 "Too many logins; try again in " +
                                     std::to_string(seconds) + " seconds.");
    send(*passage, std::move(reply.add("Retry-After", std::to_string(seconds))));
}

void Dispatcher::open_log(Passage &passage)
{
    const HttpRequest &request = passage.request;
    if (request.parameters.contains("backup")) {
        logs_.open(
            passage.exchange, request, backups_.path_of(request.parameter("backup")),
            [] { return false; }, passage.policy.over_tls, "application/octet-stream");
        return;
    }
    Sqlite &database = read_state_.database();
    const std::string run_id = request.parameter("run");
    std::string path =
        join_path(read_state_.paths().run_directory(run_id), "executor.log");
    if (request.parameters.contains("phase")) {
        const std::string &phase_id = request.parameter("phase");
        const std::string &number = request.parameter("number");
        const std::string &log = request.parameter("log");
        static_cast<void>(show_phase(database, run_id, phase_id));
        if (number.empty() || number.size() > 9 ||
            number.find_first_not_of("0123456789") != std::string::npos ||
            (log != "stdout" && log != "stderr" && !log.ends_with("-stdout") &&
             !log.ends_with("-stderr"))) {
            throw Error(ExitStatus::NoInput, "no such log");
        }
        path = join_path(
            read_state_.paths().attempt_directory(run_id, phase_id, std::stoll(number)),
            log);
    } else {
        static_cast<void>(show_run(database, run_id));
    }
    const auto may_grow = [&database, run_id] {
        return has_live_executor(database, run_id);
    };
    logs_.open(passage.exchange, request, path, may_grow, passage.policy.over_tls);
}

HttpReply Dispatcher::answer_by_server(Passage &passage)
{
    const std::string &path = passage.request.path;
    if (path == "/ready") {
        return draining_ ? problem_reply(503, "the server is about to end")
                         : json_reply(Json::object().set("ready", true));
    }
    const Health *current = nullptr;
    try {
        current = &health();
    } catch (const Error &error) {
        log_(error.what());
        return json_reply(Json::object()
                              .set("status", "unhealthy")
                              .set("version", AP_VERSION)
                              .set("bind_address", bind_address_)
                              .set("detail", "the database cannot be read"),
                          503);
    }
    const int status = current->status() == "unhealthy" ? 503 : 200;
    if (path == "/health") {
        return {status, "application/json", health_text_};
    }
    if (path == "/health/database") {
        return json_reply(database_health_to_json(*current), status);
    }
    if (path == "/metrics") {
        return {200, "text/plain; version=0.0.4; charset=utf-8",
                health_to_prometheus(*current)};
    }
    Json list = Json::array();
    for (const Alert &alert : current_alerts(read_state_.database(), *current)) {
        list.append(alert_to_json(alert));
    }
    return json_reply(Json::object().set("alerts", list));
}

const Health &Dispatcher::health()
{
    const auto now = clock_.monotonic();
    if (!health_read_ || now - *health_read_ >= health_lasts) {
        health_ = read_health(read_state_, server_health(), clock_);
        health_text_ = health_to_json(health_).dump() + "\n";
        health_read_ = now;
    }
    return health_;
}

ServerHealth Dispatcher::server_health()
{
    const auto now = clock_.monotonic();
    ServerHealth server;
    server.bind_address = bind_address_;
    server.tracked_ips = static_cast<int64_t>(limiter_.tracked(now));
    server.blocked_ips = static_cast<int64_t>(limiter_.blocked(now));
    server.most_tracked_ips = static_cast<int64_t>(limiter_.most_tracked());
    server.server_errors = errors_.count(now);
    server.watchers = static_cast<int64_t>(events_.watchers());
    return server;
}

void Dispatcher::note_token(const Principal &principal)
{
    if (principal.token_id == 0) {
        return;
    }
    // If the worker has too much to do, a later use is noted.
    worker_.submit([this, id = principal.token_id]() -> Worker::Answer {
        try {
            note_api_token_use(work_state_.database(), id, clock_);
        } catch (const Error &) {
            return [] {};
        }
        return [] {};
    });
}

} // namespace ap
