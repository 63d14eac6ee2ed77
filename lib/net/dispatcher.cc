#include "net/dispatcher.hh"

#include "net/api.hh"
#include "net/bind_safety.hh"
#include "net/dashboard.hh"
#include "net/html.hh"
#include "net/request_target.hh"
#include "sys/process.hh"

#include <algorithm>

namespace ap {

namespace {

using namespace std::chrono_literals;

constexpr auto touch_interval = 10s;
constexpr size_t most_waiting = 256;
constexpr size_t most_waiting_logins = 16; // each costs 50 ms and 64 MiB, one at a time

bool is_safe(std::string_view method)
{
    return method == "GET" || method == "HEAD";
}

std::vector<ApiRoute> all_routes()
{
    std::vector<ApiRoute> routes(api_routes().begin(), api_routes().end());
    routes.insert(routes.end(), dashboard_routes().begin(), dashboard_routes().end());
    return routes;
}

std::string form_token(const HttpRequest &request)
{
    const auto form = parse_form(request.body);
    const auto found = form ? form->find("csrf") : decltype(form->end()){};
    return form && found != form->end() ? found->second : std::string();
}

} // namespace

Dispatcher::Dispatcher(const StatePaths &paths, const Clock &clock, Log log,
                       std::vector<std::string> names, std::string bind_address)
    : clock_(clock)
    , log_(std::move(log))
    , names_(std::move(names))
    , bind_address_(std::move(bind_address))
    , routes_(all_routes())
    , read_state_(paths, State::Access::Create, "ap-serve")
    , work_state_(paths, State::Access::Write, "ap-serve")
    , login_state_(paths, State::Access::Write, "ap-serve")
    , backups_(paths)
    , events_(read_state_.database(), clock)
    , worker_(most_waiting)
    , login_worker_(most_waiting_logins)
{
    // A password is hashed for a tenth of a second, and anybody can have that done: the
    // executors go before.
    login_worker_.submit([] {
        constexpr int behind = 10;
        yield_to_other_threads(behind);
        return Worker::Answer();
    });
}

void Dispatcher::handle(const Exchange &exchange, const AuthenticationPolicy &policy)
{
    const auto passage = std::make_shared<Passage>(Passage{exchange, policy});
    try {
        admit(passage);
    } catch (const std::exception &error) {
        fail(*passage, error);
    }
}

void Dispatcher::admit(const PassageRef &passage)
{
    HttpExchange &exchange = *passage->exchange;
    HttpRequest &request = passage->request;
    request.method = exchange.method();
    request.peer = exchange.peer();
    request.over_tls = passage->policy.over_tls;
    if (!passage->policy.is_unix_socket && !is_own_host(exchange.field("host"), names_)) {
        refuse(*passage, 421, "this server does not go by the name in the Host field");
        return;
    }
    if (find(*passage) && authorize(*passage)) {
        read_body(passage);
    }
}

bool Dispatcher::find(Passage &passage)
{
    HttpRequest &request = passage.request;
    const auto pieces = split_path(passage.exchange->path());
    auto query = parse_form(passage.exchange->query());
    if (!pieces || !query) {
        refuse(passage, 400, "the path or the query is malformed");
        return false;
    }
    request.path = passage.exchange->path();
    request.query = std::move(*query);
    RouteMatch match = find_route(routes_, request.method, *pieces);
    if (match.route == nullptr && match.allowed.empty()) {
        refuse(passage, 404, "there is nothing at this path");
        return false;
    }
    if (match.route == nullptr) {
        HttpReply reply =
            problem_reply(405, "only " + match.allowed + " is allowed here");
        send(passage, std::move(reply.add("Allow", match.allowed)));
        return false;
    }
    passage.route = match.route;
    request.parameters = std::move(match.parameters);
    return true;
}

bool Dispatcher::authorize(Passage &passage)
{
    HttpRequest &request = passage.request;
    HttpExchange &exchange = *passage.exchange;
    if (!passage.route->scope && !passage.route->is_page) {
        return true; // whoever it is
    }
    request.principal =
        authenticate(read_state_.database(), exchange, passage.policy, clock_);
    request.session = session_secret(exchange, passage.policy.over_tls);
    note_token(request.principal);
    if (request.principal.may(passage.route->scope)) {
        return true;
    }
    const bool is_known = request.principal.kind != Principal::Kind::Nobody;
    if (is_known) {
        refuse(passage, 403,
               "this takes the scope " +
                   std::string(access_scope_name(*passage.route->scope)) +
                   (request.principal.kind == Principal::Kind::Local
                        ? ": use the Unix socket (--socket), a user or a token"
                        : ""));
    } else if (passage.route->is_page && is_safe(request.method)) {
        send(passage, redirect_reply("/login?next=" + encode_percent(exchange.target())));
    } else {
        HttpReply reply = problem_reply(401, "log in, or send an API token");
        send(passage, std::move(reply.add("WWW-Authenticate", "Bearer")));
    }
    return false;
}

void Dispatcher::read_body(const PassageRef &passage)
{
    HttpExchange &exchange = *passage->exchange;
    const size_t limit = passage->route->body_limit;
    passage->request.content_type = exchange.field("content-type").value_or("");
    if (limit == 0) {
        proceed(passage);
        return;
    }
    const auto length = exchange.field("content-length");
    if (length &&
        (length->size() > 18 || std::stoull("0" + std::string(*length)) > limit)) {
        refuse(*passage, 413,
               "the body may have " + std::to_string(limit) + " bytes at most");
        return;
    }
    exchange.read_body(limit, [this, passage](std::string body) {
        passage->request.body = std::move(body);
        try {
            proceed(passage);
        } catch (const std::exception &error) {
            fail(*passage, error);
        }
    });
}

void Dispatcher::proceed(const PassageRef &passage)
{
    const HttpRequest &request = passage->request;
    if (!is_safe(request.method)) {
        const bool is_form = passage->route->is_page;
        // Nobody has a token of theirs before the login.
        const bool is_login = passage->route->way == ApiRoute::Way::Login;
        if (!is_intended(*passage->exchange, request.principal, form_token(request),
                         is_form && !is_login)) {
            refuse(*passage, 403,
                   "the request did not come from a page of this server; "
                   "load the page again");
            return;
        }
        if (!is_form && !request.body.empty() &&
            !request.content_type.starts_with("application/json")) {
            refuse(*passage, 415, "the body is to be application/json");
            return;
        }
    }
    answer(passage);
}

void Dispatcher::fail(Passage &passage, const std::exception &error)
{
    HttpReply reply = problem_of(error);
    if (reply.status >= 500) {
        log_(passage.request.method + " " + passage.request.path + ": " + error.what());
    }
    if (passage.route != nullptr && passage.route->is_page) {
        reply = error_page(passage.request, reply.status,
                           reply.status == 500 ? "The server failed; see its log."
                                               : std::string_view(error.what()));
    }
    send(passage, std::move(reply));
}

void Dispatcher::refuse(Passage &passage, int status, std::string_view detail)
{
    send(passage, passage.route != nullptr && passage.route->is_page
                      ? error_page(passage.request, status, detail)
                      : problem_reply(status, detail));
}

void Dispatcher::send(Passage &passage, HttpReply reply)
{
    // What /health says of the database is its answer, not a failure of the server.
    if (reply.status >= 500 &&
        (passage.route == nullptr || passage.route->way != ApiRoute::Way::Server)) {
        errors_.note(clock_.monotonic());
    }
    send_reply(*passage.exchange, std::move(reply), passage.policy.over_tls);
}

std::vector<int> Dispatcher::worker_fds() const
{
    return {worker_.fd(), login_worker_.fd()};
}

void Dispatcher::deliver()
{
    worker_.deliver();
    login_worker_.deliver();
}

void Dispatcher::tick()
{
    const auto now = clock_.monotonic();
    events_.tick();
    if (now - logs_ticked_ >= LogStreams::interval) {
        logs_ticked_ = now;
        logs_.tick();
    }
    if (now - touched_ >= touch_interval) {
        touched_ = now;
        worker_.submit([this]() -> Worker::Answer {
            try {
                work_state_.touch();
            } catch (const Error &error) {
                return [this, text = std::string(error.what())] { log_(text); };
            }
            return [] {};
        });
    }
}

std::optional<std::chrono::milliseconds> Dispatcher::next_tick() const
{
    const std::chrono::milliseconds other =
        logs_.following() > 0 ? LogStreams::interval
                              : std::chrono::milliseconds(touch_interval);
    return std::min(events_.due_in().value_or(other), other);
}

void Dispatcher::drain()
{
    draining_ = true;
    events_.close();
    logs_.close();
}

size_t Dispatcher::pending()
{
    return worker_.pending() + login_worker_.pending();
}

std::string Dispatcher::status()
{
    const ServerHealth server = server_health();
    return "listening at " + bind_address_ + ", " + std::to_string(server.watchers) +
           " watchers, " + std::to_string(logs_.following()) + " followed logs, " +
           std::to_string(server.tracked_ips) + " addresses tracked, " +
           std::to_string(server.server_errors) + " server errors in 10 minutes";
}

} // namespace ap
