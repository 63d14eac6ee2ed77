#pragma once

#include "domain/prices.hh"
#include "net/gate_call.hh"
#include "net/gate_disk.hh"
#include "net/gate_shared.hh"
#include "sys/mailbox.hh"
#include "sys/poll_set.hh"
#include "sys/timers.hh"
#include "wrap/http_client.hh"
#include "wrap/http_server.hh"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace ap {

/// A configuration and the prices it names, as they are read.
struct GateSetup
{
    std::shared_ptr<const GateConfig> config;
    std::shared_ptr<const PriceList> prices;
};

/// One of the gateway's event loops: servers in front, a client behind, and between them
/// the calls of the connections it was given. It is on one thread and waits for no disk.
class GateLoop
{
public:
    /// Told after each turn how many of the connections it was given are closed.
    using OnClosed = std::function<void(uint64_t count)>;

    /// What it waits for is watched in `poll`, which must outlive it. `number`: its own
    /// among the loops. `with_tls`: for each listening socket, whether its clients speak
    /// TLS.
    GateLoop(GateShared &shared, size_t number, const GateSetup &setup,
             const std::vector<bool> &with_tls, PollSet &poll, OnClosed on_closed);
    ~GateLoop();
    GateLoop(const GateLoop &) = delete;
    GateLoop &operator=(const GateLoop &) = delete;

    /// Has the loop's thread make the call; from any thread.
    void post(Mailbox::Call call) { mailbox_.post(std::move(call)); }

    /// The rest is for the loop's own thread.

    /// Serves a connection that came from one of the listening sockets.
    void adopt(size_t listener, Fd connection);

    /// Does what a descriptor being ready says; others than the loop's are ignored.
    void take_ready(const PollSet::Ready &ready);

    /// run() is due after this time at the latest.
    std::optional<std::chrono::milliseconds> timeout() const;

    /// Does all else that can be done now.
    void run();

    /// For calls that come from now on.
    void configure(const GateSetup &setup);

    /// A call's turn in its provider's queue, and the ledger's answer to one that waited;
    /// calls that are over are ignored.
    void take_turn(uint64_t call);
    void take_admission(const Admission &admission);

    /// Closes each connection after its next answer.
    void drain();

private:
    friend class GateCall;

    void take(const std::shared_ptr<HttpExchange> &exchange);
    bool answer_itself(HttpExchange &exchange);
    void end_call(uint64_t id) { calls_.erase(id); }
    void run_queues();
    void publish();

    GateShared &shared_;
    const size_t number_;
    GateSetup setup_;
    PollSet &poll_;
    OnClosed on_closed_;
    Mailbox mailbox_;
    Timers timers_;
    GateDisk disk_;
    HttpClient client_;
    std::unordered_map<uint64_t, std::shared_ptr<GateCall>> calls_;
    uint64_t last_call_;
    uint64_t adopted_ = 0;
    bool draining_ = false;
    bool drained_ = false; // for good: the process may end at any time
    std::vector<std::unique_ptr<HttpServer>> servers_; // by listening socket
};

} // namespace ap
