#pragma once

#include "net/gate_loop.hh"
#include "net/gate_shared.hh"
#include "sys/acceptor.hh"
#include "sys/poll_set.hh"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ap {

/// The LLM gateway: event loops, among which connections are shared, and what they have
/// in common: the ledger, which admits each call before it is forwarded, the providers'
/// queues and the state database. The first loop is the caller's own, the others are on
/// threads of theirs; so are the ledger and the database.
class Gateway
{
public:
    /// Opens the state at `paths`, closes a dead gateway's books, and serves `listening`.
    /// All it waits for is watched in `poll`, which must outlive it. What is ready there
    /// is told to take_ready(); run() is to be called after each turn of the loop. Both
    /// throw what went wrong on another thread, too.
    Gateway(const StatePaths &paths, GateConfig config, std::vector<Fd> listening,
            PollSet &poll);
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
    /// restart can change (listen, connections, loops, ca_file, proxy) stays.
    void configure(GateConfig config);

    /// Takes no more connections; ready to end when idle().
    void drain();
    bool idle() const noexcept;

    /// Cuts the calls that are left, as the drain has lasted long enough.
    void cut();

    /// Whether all loops have had a turn since this was last asked; not the caller's own.
    bool is_alive();

    /// Tells the database that the process lives; to be called every few seconds.
    void touch() { shared_.store.touch(); }

    /// One line for people.
    std::string status_line() { return shared_.status_line(); }

private:
    struct Thread;

    GateLoop::OnClosed on_closed(size_t loop);
    void give(size_t loop, size_t listener, Fd connection);
    void each_loop(const std::function<void(GateLoop &)> &work);
    void start_threads();
    void work(Thread &thread);
    void take_answers();

    GateShared shared_;
    std::optional<Acceptor> acceptor_; // after the loops, which tell it what they close
    std::optional<GateLoop> own_;
    std::vector<std::unique_ptr<Thread>> threads_;
};

} // namespace ap
