#pragma once

#include "domain/answer_cache.hh"
#include "domain/breaker.hh"
#include "domain/state.hh"
#include "net/gate_memory.hh"
#include "sys/worker.hh"

#include <functional>
#include <mutex>
#include <string>

namespace ap {

/// The state database and what else the gateway keeps on the disk besides its books. It
/// is used on a thread of its own, by the gateway's loops in common.
class GateStore
{
public:
    /// Opens the database and registers the process.
    explicit GateStore(const StatePaths &paths);

    /// What was asked for is done before the thread ends.
    ~GateStore();
    GateStore(const GateStore &) = delete;
    GateStore &operator=(const GateStore &) = delete;

    /// Has `work` done there, and then `then`, if it is anything, called by whose mailbox
    /// it is, which must be there until wait() has returned. `then` is told why `work`
    /// threw; nothing if it did not. False if the disk does not keep up: then neither is
    /// called.
    bool post(std::function<void(GateStore &)> work,
              std::function<void(const std::string &trouble)> then, Mailbox &mailbox);

    /// Waits until all of it is done.
    void wait() { worker_.wait(); }

    /// Tells the database that the process lives; to be called every few seconds.
    void touch();

    /// Jobs that wait for the disk.
    size_t pending() { return worker_.pending(); }

    /// What last went wrong; empty if all is well.
    std::string trouble() const;

    /// For work alone.
    Sqlite &database() noexcept { return state_.database(); }
    Breakers &breakers() noexcept { return breakers_; }
    AnswerCache &answers() noexcept { return answers_; }

    /// From any thread.
    const Clock &clock() const noexcept { return clock_; }
    GateMemory &memory() noexcept { return memory_; }

private:
    std::string do_work(const std::function<void(GateStore &)> &work);
    void tell(const std::string &trouble);

    SystemClock clock_;
    State state_;
    Breakers breakers_;
    AnswerCache answers_;
    GateMemory memory_;
    mutable std::mutex mutex_;
    std::string trouble_; ///< guarded by it
    Worker worker_;       // last: ends before what its jobs use
};

} // namespace ap
