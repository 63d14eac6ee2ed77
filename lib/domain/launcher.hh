#pragma once

#include "domain/batch_job.hh"
#include "domain/lease.hh"
#include "domain/phase_usage.hh"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace ap {

/// A leased phase while it executes, wherever that is: its command, then its checks.
/// Nothing but record() touches the database.
class LaunchedPhase
{
public:
    using Milliseconds = std::chrono::milliseconds;

    LaunchedPhase(Lease &&lease, PhaseUsage usage)
        : lease_(std::move(lease))
        , usage_(std::move(usage))
    {
    }
    virtual ~LaunchedPhase() = default;
    LaunchedPhase(const LaunchedPhase &) = delete;
    LaunchedPhase &operator=(const LaunchedPhase &) = delete;

    const Lease &lease() const noexcept { return lease_; }

    /// Looks after it: ends it if its time is up, and asks about what does not tell of
    /// itself. Called once a turn.
    virtual void check_time() = 0;

    /// When check_time() is to be called again at the latest, on the clock that never
    /// jumps.
    virtual Milliseconds next_deadline() const = 0;

    /// Ends it as `status` for `reason`: with TERM and after the grace period KILL, or
    /// with KILL at once. The first call decides; a later one can only make it faster.
    virtual void end(AttemptStatus status, std::string reason, bool at_once) = 0;

    /// The command has succeeded and checks are to run: the executor records that and
    /// calls start_checks().
    bool wants_checks() const noexcept { return stage_ == Stage::CommandDone; }
    virtual void start_checks() = 0;

    bool is_checking() const noexcept { return stage_ == Stage::Check; }

    /// Whether it has ended; then outcome() says how.
    bool ended() const noexcept { return stage_ == Stage::Ended; }
    const AttemptOutcome &outcome() const noexcept { return outcome_; }

    /// Turns a success into a failure found after the end (a budget).
    void fail(AttemptStatus status, std::string reason)
    {
        outcome_.status = status;
        outcome_.reason = std::move(reason);
    }

    /// The usage it reports.
    PhaseUsage &usage() noexcept { return usage_; }
    const PhaseUsage &usage() const noexcept { return usage_; }

    /// What was taken of its usage is committed: it is not needed any more to count that.
    virtual void forget_usage() = 0;

    /// How long it has been under way.
    virtual Milliseconds elapsed() const = 0;

    /// Whether record() has something to write.
    virtual bool has_something_to_record() const { return false; }

    /// Writes what a later executor must know to find it. Call inside a transaction.
    virtual void record(Sqlite &) {}

    /// What people may want to know of it, a line each, since the last call.
    virtual std::vector<std::string> take_notes() { return {}; }

protected:
    enum class Stage { Command, CommandDone, Check, Ended };

    // Every implementation moves these on.
    Lease lease_;
    PhaseUsage usage_;
    Stage stage_ = Stage::Command;
    AttemptOutcome outcome_;
};

/// Executes leased phases on one kind of machinery.
class Launcher
{
public:
    Launcher() = default;
    virtual ~Launcher() = default;
    Launcher(const Launcher &) = delete;
    Launcher &operator=(const Launcher &) = delete;

    /// Writes down what a later executor must know to find what start() begins. Call in
    /// the transaction that leases the phase.
    virtual void announce(Sqlite &database, const Lease &lease) = 0;

    /// Begins to execute the phase, whose lease is committed. What cannot be started ends
    /// the attempt as failed; only faults of the executor's own (disk full, no
    /// descriptors) throw.
    virtual std::unique_ptr<LaunchedPhase> start(Lease lease) = 0;

    /// Takes up an attempt that another executor, dead by now, announced; it may be under
    /// way, have ended, or never have been started.
    virtual std::unique_ptr<LaunchedPhase> attach(BatchJob job) = 0;
};

} // namespace ap
