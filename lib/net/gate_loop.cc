#include "net/gate_loop.hh"

#include "sys/path.hh"

#include <utility>

namespace ap {

namespace {

// Room for twice the header fields that agents send; the library touches half of it for
// each of perhaps a thousand streams.
constexpr size_t connection_memory = 20 << 10;

// How often a server is let go on before others have a turn.
constexpr int most_turns = 8;

HttpServerConfig server_config(const GateConfig &config, bool with_tls)
{
    constexpr size_t largest_pem = 1 << 20;
    HttpServerConfig server;
    server.connection_limit = config.connections;
    server.connection_memory = connection_memory;
    server.one_descriptor = false;
    if (with_tls) {
        server.tls_certificate = read_file(config.tcp->certificate, largest_pem);
        server.tls_key = read_file(config.tcp->key, largest_pem);
    }
    return server;
}

} // namespace

GateLoop::GateLoop(GateShared &shared, size_t number, const GateSetup &setup,
                   const std::vector<bool> &with_tls, PollSet &poll, OnClosed on_closed)
    : shared_(shared)
    , number_(number)
    , poll_(poll)
    , on_closed_(std::move(on_closed))
    , disk_(shared.store, mailbox_)
    , client_({.ca_file = setup.config->ca_file, .proxy = setup.config->proxy}, &poll)
    , last_call_(number)
{
    configure(setup);
    for (const bool tls : with_tls) {
        servers_.push_back(std::make_unique<HttpServer>(
            server_config(*setup.config, tls),
            [this](const std::shared_ptr<HttpExchange> &exchange) { take(exchange); }));
        poll.watch(servers_.back()->fd(), true, false);
        poll.watch(servers_.back()->requests_fd(), true, false);
    }
    poll.watch(mailbox_.fd(), true, false);
}

GateLoop::~GateLoop() = default;

void GateLoop::configure(const GateSetup &setup)
{
    setup_ = setup;
    poll_.poll_first(setup.config->busy_poll);
}

void GateLoop::adopt(size_t listener, Fd connection)
{
    adopted_++;
    servers_[listener]->adopt(std::move(connection));
}

void GateLoop::take_ready(const PollSet::Ready &ready)
{
    if (ready.fd == mailbox_.fd()) {
        mailbox_.deliver();
        return;
    }
    for (const auto &server : servers_) {
        if (ready.fd == server->fd() || ready.fd == server->requests_fd()) {
            server->run(ready.fd == server->fd());
            return;
        }
    }
    client_.take_ready(ready);
}

std::optional<std::chrono::milliseconds> GateLoop::timeout() const
{
    auto due = shorter(client_.timeout(), timers_.timeout());
    for (const auto &server : servers_) {
        due = shorter(due, server->timeout());
    }
    return shorter(due, shared_.queues.due_in());
}

// What the loop's descriptors brought goes on in the same turn: requests to providers,
// and answers to clients. A server that is still at something makes no descriptor
// readable.
void GateLoop::run()
{
    constexpr std::chrono::milliseconds now{0};
    timers_.run();
    run_queues();
    client_.run(false);
    for (const auto &server : servers_) {
        for (int i = 0; i < most_turns && server->timeout() == now; i++) {
            server->run(false);
        }
    }
    if (client_.is_due()) {
        client_.run(false);
    }
    publish();
}

// Any loop may find that a call's turn has come.
void GateLoop::run_queues()
{
    for (const uint64_t id : shared_.queues.take_ready()) {
        GateLoop &loop = shared_.loop_of(id);
        if (&loop == this) {
            take_turn(id);
        } else {
            loop.post([&loop, id] { loop.take_turn(id); });
        }
    }
}

void GateLoop::take_turn(uint64_t call)
{
    if (const auto found = calls_.find(call); found != calls_.end()) {
        const std::shared_ptr<GateCall> kept = found->second;
        kept->take_turn();
    }
}

void GateLoop::take_admission(const Admission &admission)
{
    const auto found = calls_.find(admission.tag);
    if (found != calls_.end() && found->second->reservation() == admission.call) {
        const std::shared_ptr<GateCall> kept = found->second;
        kept->take_admission(admission);
    }
}

void GateLoop::take(const std::shared_ptr<HttpExchange> &exchange)
{
    if (answer_itself(*exchange)) {
        return;
    }
    last_call_ += shared_.loops.size();
    const auto call = std::make_shared<GateCall>(*this, last_call_, exchange);
    calls_[last_call_] = call;
    call->start();
}

bool GateLoop::answer_itself(HttpExchange &exchange)
{
    const std::string_view path = exchange.path();
    const bool reads = exchange.method() == "GET" || exchange.method() == "HEAD";
    if (!reads) {
        return false;
    }
    const HttpField json[] = {{"Content-Type", "application/json"}};
    if (path == "/metrics") {
        const HttpField text[] = {
            {"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}};
        exchange.respond(200, text, shared_.metrics());
    } else if (path == "/healthz") {
        const std::string trouble = shared_.trouble();
        Json health = Json::object();
        health.set("status", trouble.empty() ? "ok" : "unhealthy");
        if (!trouble.empty()) {
            health.set("trouble", trouble);
        }
        exchange.respond(trouble.empty() ? 200 : 503, json, health.dump() + "\n");
    } else if (path == "/status") {
        exchange.respond(200, json, shared_.status().dump() + "\n");
    } else if (path == "/" || exchange.method() == "HEAD") {
        // Agents look whether anybody is there before they begin.
        exchange.respond(200, {}, "");
    } else {
        return false;
    }
    return true;
}

void GateLoop::drain()
{
    draining_ = true;
    for (const auto &server : servers_) {
        server->drain();
    }
}

// What others may want to know of the loop as it is after a turn.
void GateLoop::publish()
{
    GateShared::Figures &figures = shared_.figures[number_];
    size_t connections = 0;
    size_t active = 0;
    for (const auto &server : servers_) {
        connections += server->connections();
        active += server->active();
    }
    figures.calls = calls_.size();
    figures.connections = connections;
    figures.upstream = client_.active();
    drained_ = drained_ || (draining_ && calls_.empty() && active == 0);
    figures.drained = drained_;
    on_closed_(adopted_ - connections);
}

} // namespace ap
