#pragma once

#include "domain/prices.hh"
#include "net/fair_queue.hh"
#include "net/gate_call.hh"
#include "net/gate_disk.hh"
#include "net/gate_metrics.hh"
#include "sys/poll_set.hh"
#include "sys/timers.hh"
#include "wrap/http_client.hh"
#include "wrap/http_server.hh"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace ap {

/// The LLM gateway: servers in front, a client behind, and between them the calls, each
/// admitted by the ledger before it is forwarded. Everything here is on one thread and
/// waits for no disk; the ledger and the state database have threads of their own.
class Gateway
{
public:
    /// Opens the state at `paths`, closes a dead gateway's books, and serves `listening`.
    /// All it waits for is watched in `loop`, which must outlive it. What is ready there
    /// is told to take_ready(); run() is to be called after each turn of the loop.
    Gateway(const StatePaths &paths, GateConfig config, std::vector<Fd> listening,
            PollSet &loop);
    ~Gateway();
    Gateway(const Gateway &) = delete;
    Gateway &operator=(const Gateway &) = delete;

    /// Does what a descriptor being ready says; others than the gateway's are ignored.
    void take_ready(const PollSet::Ready &ready);

    /// run() is due after this time at the latest.
    std::optional<std::chrono::milliseconds> timeout() const;

    /// Does all else that can be done now.
    void run();

    /// Takes a configuration read anew: for calls that come from now on. What only a
    /// restart can change (listen, connections, ca_file, proxy) stays.
    void configure(GateConfig config);

    /// Takes no more connections; ready to end when idle().
    void drain();
    bool idle() const noexcept;

    /// Cuts the calls that are left, as the drain has lasted long enough.
    void cut();

    /// Tells the database that the process lives; to be called every few seconds.
    void touch() { disk_.touch(); }

    /// One line for people.
    std::string status_line() const;

    /// For ap-ctl and /status.
    Json status() const;

private:
    friend class GateCall;

    void take(const std::shared_ptr<HttpExchange> &exchange);
    bool answer_itself(HttpExchange &exchange);
    FairQueue &queue(const GateProvider &provider);
    void take_answers();
    void run_queues();
    void end_call(uint64_t id);
    std::string request_id(uint64_t call) const;
    GateGauges gauges() const;

    StatePaths paths_;
    std::shared_ptr<const GateConfig> config_;
    std::shared_ptr<const PriceList> prices_;
    GateMetrics metrics_;
    Timers timers_;
    GateDisk disk_;
    GatewayLedger ledger_;
    HttpClient client_;
    std::unordered_map<std::string, FairQueue> queues_; // by provider
    std::unordered_map<uint64_t, std::shared_ptr<GateCall>> calls_;
    std::unordered_map<CallId, std::weak_ptr<GateCall>> waiting_; // for the ledger
    uint64_t last_call_ = 0;
    std::string instance_; // part of request ids
    bool draining_ = false;
    std::vector<std::unique_ptr<HttpServer>> servers_;
};

} // namespace ap
