#pragma once

#include "domain/attempt_usage.hh"
#include "domain/child_environment.hh"
#include "domain/launcher.hh"
#include "domain/phase_slot.hh"
#include "domain/state.hh"
#include "sys/capped_log.hh"
#include "sys/poll_loop.hh"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ap {

/// A leased phase that executes on this machine: its command, then its checks, one after
/// the other, each under a Keeper. Captures their output into the attempt's directory,
/// collects the usage they report, and watches their time. It ends with this object.
class RunningPhase final : public LaunchedPhase
{
public:
    /// Makes the attempt's directory and starts the command. What cannot be started ends
    /// the attempt as failed; only faults of the executor's own (disk full, no
    /// descriptors) throw. Output beyond `output_limit` bytes a file loses its middle.
    /// The slot is given back at the end.
    RunningPhase(Lease lease, PhaseSlots &slots, const StatePaths &paths, PollLoop &loop,
                 const Clock &clock, int64_t output_limit);
    ~RunningPhase() override;
    RunningPhase(const RunningPhase &) = delete;
    RunningPhase &operator=(const RunningPhase &) = delete;

    void end(AttemptStatus status, std::string reason, bool at_once) override;
    void check_time() override;
    Milliseconds next_deadline() const override;
    void start_checks() override;

    /// The spool is not needed any more for what was taken, nor at all once the phase has
    /// ended.
    void forget_usage() override;

    Milliseconds elapsed() const override;

private:
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
    std::optional<Milliseconds> idle_limit() const;
    void on_keeper();
    void note_result(const KeptResult &result);
    void note_verdict(const KeptResult &result);
    std::string missing_output() const;
    std::string work_directory() const;
    void finish(AttemptStatus status, std::string reason);

    const StatePaths &paths_;
    PollLoop &loop_;
    const Clock &clock_;
    int64_t output_limit_;
    PhaseSlots &slots_;
    std::unique_ptr<PhaseSlot> slot_;
    bool is_kept_ = false; ///< the slot's keeper keeps a command of this phase
    std::string directory_;
    UsageFiles usage_files_;
    size_t check_ = 0;
    Capture standard_output_;
    Capture standard_error_;
    std::optional<AttemptStatus> ending_;
    std::string ending_reason_;
    Milliseconds started_;
    Milliseconds last_output_;
};

} // namespace ap
