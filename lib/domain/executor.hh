#pragma once

#include "base/exit_status.hh"
#include "domain/attempt_result.hh"
#include "domain/config.hh"
#include "domain/control.hh"
#include "domain/executor_observer.hh"
#include "domain/launcher.hh"
#include "domain/lease.hh"
#include "domain/phase_approvals.hh"
#include "domain/phase_breakers.hh"
#include "domain/state.hh"
#include "sys/capped_log.hh"
#include "sys/fifo.hh"
#include "sys/poll_loop.hh"
#include "sys/signals.hh"
#include "sys/watch.hh"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace ap {

struct ExecutorOptions
{
    std::string run_id;
    std::optional<int64_t> jobs;          ///< unless given, the configuration's
    std::optional<LauncherKind> launcher; ///< of phases that name none; as with jobs
    bool stop_on_first_failure = false;
    bool once = false; ///< at most one attempt, then stop
};

/// Executes a run until it has ended or it is told to stop. One thread; single use. Any
/// number of executors may share a run: the leases in the database keep them apart.
///
/// Every change of state is committed before what follows from it is done: a lease before
/// its process starts, an end before its result file is written. What ends and what
/// begins at the same moment share one commit.
class Executor
{
public:
    Executor(State &state, ExecutorOptions options, ExecutorObserver &observer,
             const Clock &clock);

    /// Done, Failed, BudgetExhausted, Stopped or Aborted. Throws when it cannot go on
    /// (disk full, database gone); its processes are ended then, and the next executor
    /// takes the attempts up as interrupted.
    ExitStatus run();

private:
    using Milliseconds = std::chrono::milliseconds;

    void start();
    void register_executor();
    void follow_default_cap();
    void recover();
    void adopt_jobs();
    void watch();
    void conclude();
    void settle_results();
    void write_ledger();
    ExitStatus exit_status(const RunStanding &standing) const;

    void turn();
    void record_turn();
    void record_usage_of(LaunchedPhase &phase);
    void finish_phase_of(LaunchedPhase &phase);
    void report_end(const LaunchedPhase &phase, const PhaseVerdict &verdict);
    void lease_phases();
    bool is_approved(const Lease &lease);
    void start_leased();
    Launcher &launcher(LauncherKind kind);
    Launcher &launcher_of(const PhaseSpec &phase);
    void tell_about(LaunchedPhase &phase);
    void start_waiting_checks();
    bool has_something_to_record() const;
    bool may_lease() const;
    bool is_finished();

    void obey();
    void obey_timeouts();
    void obey_run_requests();
    void apply_run_request(ControlVerb verb, const std::string &outcome);
    void check_budgets();
    void warn_near_cap(const std::string &phase_id);
    void end_over_budget(LaunchedPhase &phase, const Budget &budget);
    void end_all(AttemptStatus status, const std::string &reason, bool at_once);
    size_t most_phases() const;
    void on_signal();
    void reread_configuration();
    void on_control_fifo();
    void look_after_state();
    void look_for_due_phase();

    void wait();
    Milliseconds wait_time() const;
    void refresh_display();
    void say(const ExecutorEvent &event);
    std::string status_text() const;

    State &state_;
    Sqlite &database_;
    ExecutorOptions options_;
    Config config_;
    ExecutorObserver &observer_;
    const Clock &clock_;
    PollLoop loop_;
    std::unique_ptr<SignalFd> signals_;
    std::unique_ptr<DirectoryWatch> control_watch_;
    std::unique_ptr<DirectoryWatch> wake_watch_;
    std::unique_ptr<FifoReader> control_fifo_;
    std::unique_ptr<ControlFiles> control_files_;
    std::unique_ptr<CappedLog> log_;
    std::map<LauncherKind, std::unique_ptr<Launcher>> launchers_;
    std::vector<std::unique_ptr<LaunchedPhase>> running_;
    std::vector<Lease> leased_;
    PhaseApprovals approvals_;
    PhaseBreakers breakers_;
    PendingResults results_;
    std::vector<ExecutorEvent> uncommitted_events_;
    std::minstd_rand random_;
    int64_t executor_id_ = 0;
    int64_t data_version_ = -1;
    int64_t attempts_started_ = 0;
    Milliseconds looked_at_{0};
    Milliseconds touched_at_{0};
    Milliseconds refreshed_at_{0};
    std::optional<UnixMs> next_due_;
    bool look_for_phases_ = true;
    bool stopping_ = false;
    bool aborting_ = false;
    bool killing_ = false; ///< aborting without a grace
    bool paused_ = false;
    bool failed_ = false;
    std::string abort_reason_;
};

} // namespace ap
