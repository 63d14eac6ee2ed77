#include "net/gateway.hh"

#include "base/text.hh"
#include "sys/path.hh"
#include "sys/socket.hh"

#include <algorithm>
#include <random>
#include <unistd.h>

namespace ap {

namespace {

QueueLimits limits_of(const GateProvider &provider)
{
    return {provider.concurrency, provider.requests_per_minute,
            provider.tokens_per_minute};
}

LedgerOptions ledger_options(const GateConfig &config)
{
    LedgerOptions options;
    options.wait_limit = config.budget_wait;
    return options;
}

// Room for twice the header fields that agents send; the library touches half of it for
// each of perhaps a thousand streams.
constexpr size_t connection_memory = 20 << 10;

// How often a server is let go on before others have a turn.
constexpr int most_turns = 8;

// Tells this process's calls from those of all others, ever.
std::string random_name()
{
    std::random_device device;
    const uint64_t number = (uint64_t{device()} << 32) | device();
    std::string name;
    for (int shift = 60; shift >= 0; shift -= 4) {
        name += "0123456789abcdef"[(number >> shift) & 15];
    }
    return name;
}

std::shared_ptr<const PriceList> load_prices(const GateConfig &config)
{
    std::string path = config.prices;
    if (path.empty() && path_exists(AP_DATADIR "/prices.json")) {
        path = AP_DATADIR "/prices.json";
    }
    return std::make_shared<const PriceList>(path.empty() ? PriceList()
                                                          : PriceList::load(path));
}

HttpServerConfig server_config(Fd socket, const GateConfig &config)
{
    constexpr size_t largest_pem = 1 << 20;
    HttpServerConfig server;
    const bool is_tcp = local_port(socket.get()) != 0;
    server.listen = std::move(socket);
    server.connection_limit = config.connections;
    server.connection_memory = connection_memory;
    server.one_descriptor = false;
    if (is_tcp && config.tcp && !config.tcp->certificate.empty()) {
        server.tls_certificate = read_file(config.tcp->certificate, largest_pem);
        server.tls_key = read_file(config.tcp->key, largest_pem);
    }
    return server;
}

} // namespace

Gateway::Gateway(const StatePaths &paths, GateConfig config, std::vector<Fd> listening,
                 PollSet &loop)
    : paths_(paths)
    , config_(std::make_shared<const GateConfig>(std::move(config)))
    , prices_(load_prices(*config_))
    , disk_(paths)
    , ledger_(paths, ledger_options(*config_))
    , client_({.ca_file = config_->ca_file, .proxy = config_->proxy}, &loop)
    , instance_(random_name())
{
    for (Fd &socket : listening) {
        servers_.push_back(std::make_unique<HttpServer>(
            server_config(std::move(socket), *config_),
            [this](const std::shared_ptr<HttpExchange> &exchange) { take(exchange); }));
        loop.watch(servers_.back()->fd(), true, false);
        loop.watch(servers_.back()->requests_fd(), true, false);
    }
    for (const int fd : {ledger_.answers_fd(), disk_.fd()}) {
        loop.watch(fd, true, false);
    }
}

Gateway::~Gateway() = default;

void Gateway::take_ready(const PollSet::Ready &ready)
{
    if (ready.fd == ledger_.answers_fd()) {
        take_answers();
        return;
    }
    if (ready.fd == disk_.fd()) {
        disk_.run();
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

std::optional<std::chrono::milliseconds> Gateway::timeout() const
{
    auto due = shorter(client_.timeout(), timers_.timeout());
    for (const auto &server : servers_) {
        due = shorter(due, server->timeout());
    }
    for (const auto &[name, queue] : queues_) {
        if (queue.waiting() == 0) {
            continue;
        }
        const auto now = std::chrono::steady_clock::now();
        if (const auto next = queue.next(now)) {
            due = shorter(due, std::chrono::ceil<std::chrono::milliseconds>(*next - now));
        }
    }
    return due;
}

// What the loop's descriptors brought goes on in the same turn: requests to providers,
// and answers to clients. A server that is still at something makes no descriptor
// readable.
void Gateway::run()
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
}

void Gateway::take_answers()
{
    for (const Admission &admission : ledger_.take_answers()) {
        const auto waiting = waiting_.extract(admission.call);
        const auto call = waiting.empty() ? nullptr : waiting.mapped().lock();
        if (call) {
            call->take_admission(admission);
        }
    }
}

void Gateway::run_queues()
{
    for (auto &[name, queue] : queues_) {
        if (queue.waiting() == 0) {
            continue;
        }
        const auto now = std::chrono::steady_clock::now();
        for (const uint64_t id : queue.take_ready(now)) {
            if (const auto call = calls_.find(id); call != calls_.end()) {
                const std::shared_ptr<GateCall> kept = call->second;
                kept->take_turn();
            }
        }
    }
}

void Gateway::configure(GateConfig config)
{
    auto prices = load_prices(config);
    config_ = std::make_shared<const GateConfig>(std::move(config));
    prices_ = std::move(prices);
    for (const GateProvider &provider : config_->providers) {
        queue(provider).set_limits(limits_of(provider));
    }
}

FairQueue &Gateway::queue(const GateProvider &provider)
{
    const auto found = queues_.find(provider.name);
    return found != queues_.end()
               ? found->second
               : queues_
                     .emplace(provider.name, FairQueue(limits_of(provider),
                                                       std::chrono::steady_clock::now()))
                     .first->second;
}

void Gateway::take(const std::shared_ptr<HttpExchange> &exchange)
{
    if (answer_itself(*exchange)) {
        return;
    }
    const uint64_t id = ++last_call_;
    const auto call = std::make_shared<GateCall>(*this, id, exchange);
    calls_[id] = call;
    call->start();
}

bool Gateway::answer_itself(HttpExchange &exchange)
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
        exchange.respond(200, text, metrics_text(metrics_, ledger_.status(), gauges()));
    } else if (path == "/healthz") {
        const std::string trouble =
            disk_.trouble().empty() ? ledger_.status().trouble : disk_.trouble();
        Json health = Json::object();
        health.set("status", trouble.empty() ? "ok" : "unhealthy");
        if (!trouble.empty()) {
            health.set("trouble", trouble);
        }
        exchange.respond(trouble.empty() ? 200 : 503, json, health.dump() + "\n");
    } else if (path == "/status") {
        exchange.respond(200, json, status().dump() + "\n");
    } else if (path == "/" || exchange.method() == "HEAD") {
        // Agents look whether anybody is there before they begin.
        exchange.respond(200, {}, "");
    } else {
        return false;
    }
    return true;
}

void Gateway::end_call(uint64_t id)
{
    calls_.erase(id);
}

std::string Gateway::request_id(uint64_t call) const
{
    return "gate-" + instance_ + "-" + std::to_string(call);
}

void Gateway::drain()
{
    draining_ = true;
    for (const auto &server : servers_) {
        server->drain();
    }
}

bool Gateway::idle() const noexcept
{
    return calls_.empty() &&
           std::all_of(servers_.begin(), servers_.end(),
                       [](const auto &server) { return server->active() == 0; });
}

void Gateway::cut()
{
    servers_.clear();
}

GateGauges Gateway::gauges() const
{
    GateGauges gauges;
    gauges.calls = calls_.size();
    gauges.upstream = client_.active();
    gauges.disk_jobs = disk_.pending();
    for (const auto &server : servers_) {
        gauges.connections += server->connections();
    }
    for (const auto &[name, queue] : queues_) {
        gauges.queued += queue.waiting();
    }
    return gauges;
}

std::string Gateway::status_line() const
{
    const GateGauges now = gauges();
    const LedgerStatus ledger = ledger_.status();
    return std::to_string(now.calls) + " calls, " + std::to_string(now.upstream) +
           " upstream, " + std::to_string(now.queued) + " queued, " +
           std::to_string(ledger.waiting) + " waiting for budget, " +
           std::to_string(ledger.settled) + " settled, " +
           std::to_string(ledger.refused) + " refused" + (draining_ ? ", draining" : "");
}

Json Gateway::status() const
{
    const auto number = [](auto value) { return static_cast<int64_t>(value); };
    const GateGauges now = gauges();
    const LedgerStatus ledger = ledger_.status();
    Json json = Json::object();
    json.set("pid", getpid()).set("draining", draining_);
    json.set("calls", number(now.calls)).set("connections", number(now.connections));
    json.set("upstream", number(now.upstream)).set("queued", number(now.queued));
    json.set("waiting_for_budget", ledger.waiting).set("admitted", ledger.admitted);
    json.set("settled", ledger.settled).set("refused", ledger.refused);
    json.set("unwritten", ledger.unwritten);
    const std::string trouble = ledger.trouble.empty() ? disk_.trouble() : ledger.trouble;
    json.set("trouble", trouble.empty() ? Json::null() : Json::string(trouble));
    return json;
}

} // namespace ap
