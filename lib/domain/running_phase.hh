#pragma once

#include "domain/attempt_usage.hh"
#include "domain/child_environment.hh"
#include "domain/lease.hh"
#include "domain/phase_slot.hh"
#include "domain/phase_usage.hh"
#include "domain/state.hh"
#include "sys/capped_log.hh"
#include "sys/poll_loop.hh"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ap {

/// A leased phase while it executes: its command, then its checks, one after the other,
/// each under a Keeper. Captures their output into the attempt's directory, collects the
/// usage they report, and watches their time. It never touches the database.
class RunningPhase
{
public:
    using Milliseconds = std::chrono::milliseconds;

    /// Makes the attempt's directory and starts the command. What cannot be started ends
    /// the attempt as failed; only faults of the executor's own (disk full, no
    /// descriptors) throw. Output beyond `output_limit` bytes a file loses its middle.
    RunningPhase(Lease lease, std::unique_ptr<PhaseSlot> slot, const StatePaths &paths,
                 PollLoop &loop, const Clock &clock, int64_t output_limit);
    ~RunningPhase();
    RunningPhase(const RunningPhase &) = delete;
    RunningPhase &operator=(const RunningPhase &) = delete;

    const Lease &lease() const noexcept { return lease_; }

    /// Ends it as `status` for `reason`: with TERM and after the grace period KILL, or
    /// with KILL at once. The first call decides; a later one can only make it faster.
    void end(AttemptStatus status, std::string reason, bool at_once);

    /// Ends it if its time is up, and tells when to look again.
    void check_time();
    Milliseconds next_deadline() const;

    /// The command has succeeded and checks are to run: the executor records that and
    /// calls start_checks().
    bool wants_checks() const noexcept { return stage_ == Stage::CommandDone; }
    void start_checks();

    bool is_checking() const noexcept { return stage_ == Stage::Check; }

    /// Whether it has ended; then outcome() says how.
    bool ended() const noexcept { return stage_ == Stage::Ended; }
    const AttemptOutcome &outcome() const noexcept { return outcome_; }

    /// The slot of a phase that has ended, for the next. Once only.
    std::unique_ptr<PhaseSlot> take_slot() noexcept { return std::move(slot_); }

    /// Turns a success into a failure found after the end (a budget).
    void fail(AttemptStatus status, std::string reason);

    /// The usage it reports.
    PhaseUsage &usage() noexcept { return usage_; }

    /// What was taken of its usage is committed: the spool is not needed for that any
    /// more, nor at all once the phase has ended.
    void forget_usage();

    Milliseconds elapsed() const;

private:
    enum class Stage { Command, CommandDone, Check, Ended };

    struct Capture
    {
        Fd pipe;
        std::unique_ptr<CappedLog> log;
    };

    void start_command();
    void start(PreparedCommand ready, Fd standard_input, const std::string &log_prefix);
    Fd open_standard_input() const;
    Fd open_capture(Capture &capture, const std::string &log_name);
    bool read_capture(Capture &capture, bool is_command_stdout);
    void drain(Capture &capture, bool is_command_stdout);
    void close_capture(Capture &capture);
    void read_usage(bool last);
    void on_keeper();
    void note_result(const KeptResult &result);
    std::string missing_output() const;
    std::string work_directory() const;
    void finish(AttemptStatus status, std::string reason);

    Lease lease_;
    const StatePaths &paths_;
    PollLoop &loop_;
    const Clock &clock_;
    int64_t output_limit_;
    std::unique_ptr<PhaseSlot> slot_;
    bool is_kept_ = false; ///< the slot's keeper keeps a command of this phase
    std::string directory_;
    UsageFiles usage_files_;
    Stage stage_ = Stage::Command;
    size_t check_ = 0;
    PhaseUsage usage_;
    Capture standard_output_;
    Capture standard_error_;
    std::optional<AttemptStatus> ending_;
    std::string ending_reason_;
    AttemptOutcome outcome_;
    Milliseconds started_;
    Milliseconds last_output_;
};

} // namespace ap
