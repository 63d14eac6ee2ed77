#include "domain/executor.hh"

#include "base/text.hh"
#include "domain/integrity.hh"
#include "domain/ledger.hh"
#include "domain/ledger_run.hh"
#include "domain/run.hh"
#include "sys/keeper.hh"
#include "sys/path.hh"
#include "sys/process.hh"

#include <algorithm>

namespace ap {

namespace {

using namespace std::chrono_literals;
using Milliseconds = std::chrono::milliseconds;

// How often an executor looks into the database without having been woken: changes made
// by people with the sqlite3 shell, budgets, and executors that died beside it.
constexpr Milliseconds look_interval = 1s;

// The same while it has nothing to do but to wait for phases of other executors.
constexpr Milliseconds idle_look_interval = 100ms;

constexpr auto touch_interval = 10s;

// How long the end of a run waits for another tool that writes the ledger.
constexpr Milliseconds ledger_patience = 1s;

} // namespace

Executor::Executor(State &state, ExecutorOptions options, ExecutorObserver &observer,
                   const Clock &clock)
    : state_(state)
    , database_(state.database())
    , options_(std::move(options))
    , config_(load_config(state.paths()))
    , observer_(observer)
    , clock_(clock)
    , approvals_(state, clock)
    , breakers_(database_, clock)
    , results_(state)
    , random_(std::random_device{}())
{
}

ExitStatus Executor::run()
{
    const RunStanding before = run_standing(database_, options_.run_id);
    if (before.ended()) {
        recover();
        settle_results();
        if (config_.keeps_ledger) {
            record_run_end(database_, options_.run_id, clock_);
            write_ledger();
        }
        say({.kind = "run.ended",
             .status = before.status,
             .message = "had ended before"});
        return exit_status(before);
    }
    start();
    while (true) {
        turn();
        if (is_finished()) {
            break;
        }
        wait();
    }
    conclude();
    const RunStanding after = run_standing(database_, options_.run_id);
    say({.kind = "run.ended", .status = after.status, .message = abort_reason_});
    return exit_status(after);
}

void Executor::start()
{
    become_subreaper();
    const std::string directory = state_.paths().run_directory(options_.run_id);
    make_directories(directory, 0700);
    log_ = std::make_unique<CappedLog>(join_path(directory, "executor.log"),
                                       config_.output_limit);
    watch();
    // What was asked for before this executor started is taken first: a timeout written
    // for a phase that a dead executor left must meet that phase before it is requeued.
    control_files_->take();
    recover();
    register_executor();
    follow_default_cap();
    adopt_jobs();
    say({.kind = "run.started"});
    obey();
}

void Executor::watch()
{
    const std::string &run_id = options_.run_id;
    signals_ = std::make_unique<SignalFd>(
        std::initializer_list<int>{SIGTERM, SIGINT, SIGUSR1, SIGHUP, SIGCHLD});
    control_watch_ = std::make_unique<DirectoryWatch>(state_.paths().runs);
    wake_watch_ = std::make_unique<DirectoryWatch>(state_.paths().run_directory(run_id));
    control_fifo_ =
        std::make_unique<FifoReader>(control_fifo_path(state_.paths(), run_id));
    control_files_ = std::make_unique<ControlFiles>(state_, run_id, clock_);
    loop_.add(signals_->fd(), [this] { on_signal(); });
    loop_.add(control_fifo_->fd(), [this] { on_control_fifo(); });
    loop_.add(control_watch_->fd(), [this] {
        const std::vector<std::string> names = control_watch_->changed();
        const bool ours = std::any_of(names.begin(), names.end(), [](const auto &name) {
            return name == "*" || ControlFiles::is_control_file(name);
        });
        if (ours && control_files_->take()) {
            wake_executors(state_.paths(), options_.run_id);
            obey();
        }
    });
    loop_.add(wake_watch_->fd(), [this] {
        const std::vector<std::string> names = wake_watch_->changed();
        if (std::any_of(names.begin(), names.end(), [](const auto &name) {
                return name == ".wake" || name == "*";
            })) {
            obey();
        }
    });
}

void Executor::recover()
{
    forget_dead_processes(state_, options_.run_id);
    results_.add_left_behind(options_.run_id);
    approvals_.notify_owed(options_.run_id);
}

void Executor::register_executor()
{
    const ProcessIdentity self = ProcessIdentity::self();
    const UnixMs now = clock_.now();
    Transaction transaction(database_);
    database_
        .prepare("INSERT INTO executors (run_id, pid, pid_started, boot_id, jobs, "
                 "started_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        .bind_all(options_.run_id, int64_t{self.pid}, self.started, self.boot_id,
                  static_cast<int64_t>(most_phases()), now)
        .run();
    executor_id_ = database_.last_insert_id();
    database_
        .prepare("UPDATE runs SET status = 'EXECUTING', reason = NULL, "
                 "started_at = coalesce(started_at, ?2) "
                 "WHERE run_id = ?1 AND status IN ('QUEUED', 'STOPPED')")
        .bind_all(options_.run_id, now)
        .run();
    transaction.commit();
}

// A run whose plan gave no cap has the default, and follows it when a person sets
// another.
void Executor::follow_default_cap()
{
    const TokenCaps &caps = config_.token_caps;
    if (!caps.run_is_set) {
        return;
    }
    database_
        .prepare("UPDATE budgets SET token_cap = ?2, warned_at = NULL "
                 "WHERE run_id = ?1 AND phase_id = '' AND token_cap <> ?2 AND EXISTS "
                 "(SELECT 1 FROM runs WHERE run_id = ?1 AND token_cap_from_plan = 0)")
        .bind_all(options_.run_id, caps.run)
        .run();
    if (database_.changes() > 0) {
        Json detail = Json::object();
        detail.set("token_cap", caps.run).set("source", "AUTOPACK_RUN_TOKEN_CAP");
        append_event(database_, "budget.set", options_.run_id, {}, 0, detail.dump());
    }
}

// The last executor to leave settles what the run is: a stop is over once it is obeyed.
void Executor::conclude()
{
    if (aborting_ && !has_open_attempts(database_, options_.run_id)) {
        abort_run(database_, options_.run_id, abort_reason_, clock_);
    }
    settle_results();
    Transaction transaction(database_);
    database_
        .prepare("UPDATE executors SET ended_at = ?2, outcome = ?3 "
                 "WHERE executor_id = ?1")
        .bind_all(executor_id_, clock_.now(),
                  aborting_ ? "aborted" : (stopping_ ? "stopped" : "done"))
        .run();
    database_
        .prepare("UPDATE runs SET status = 'STOPPED', requested = NULL, reason = ?2 "
                 "WHERE run_id = ?1 AND status = 'EXECUTING' AND NOT EXISTS "
                 "(SELECT 1 FROM executors WHERE run_id = ?1 AND ended_at IS NULL)")
        .bind_all(options_.run_id, failed_ ? "a phase failed" : "stopped on request")
        .run();
    if (config_.keeps_ledger) {
        record_run_end(database_, options_.run_id, clock_);
    }
    transaction.commit();
    write_ledger();
    wake_executors(state_.paths(), options_.run_id);
}

// What cannot be written now stays recorded, and the next tool that can writes it.
void Executor::write_ledger()
{
    try {
        settle_ledger(state_, ledger_patience);
    } catch (const Error &error) {
        say({.kind = "warning",
             .message = "the ledger is not written yet: " + std::string(error.what())});
    }
}

void Executor::settle_results()
{
    results_.write();
    results_.sync();
    Transaction transaction(database_);
    results_.mark_synced();
    transaction.commit();
}

ExitStatus Executor::exit_status(const RunStanding &standing) const
{
    if (standing.status == "DONE_SUCCESS") {
        return ExitStatus::Done;
    }
    if (standing.status == "DONE_FAILED_BUDGET_EXHAUSTED") {
        return ExitStatus::BudgetExhausted;
    }
    if (standing.status == "DONE_ABORTED") {
        return ExitStatus::Aborted;
    }
    if (standing.status == "DONE_FAILED" || failed_) {
        return ExitStatus::Failed;
    }
    return options_.once ? ExitStatus::Done : ExitStatus::Stopped;
}

bool Executor::is_finished()
{
    if (!running_.empty()) {
        return false;
    }
    if (stopping_ || aborting_) {
        return true;
    }
    return run_standing(database_, options_.run_id).ended();
}

void Executor::wait()
{
    look_for_due_phase();
    loop_.run_once(wait_time());
    const Milliseconds now = clock_.monotonic();
    if (now - looked_at_ >= (running_.empty() ? idle_look_interval : look_interval)) {
        looked_at_ = now;
        look_after_state();
    }
    refresh_display();
}

// Notes when a phase that only waits for its time may start, if one could be started.
void Executor::look_for_due_phase()
{
    const bool wanted = !look_for_phases_ && !stopping_ && !aborting_ && !paused_ &&
                        running_.size() < most_phases();
    next_due_ =
        wanted ? next_phase_due(database_, options_.run_id, clock_) : std::nullopt;
    look_for_phases_ = look_for_phases_ || (next_due_ && *next_due_ <= clock_.now());
}

Executor::Milliseconds Executor::wait_time() const
{
    if (may_lease()) {
        return 0ms;
    }
    const Milliseconds now = clock_.monotonic();
    Milliseconds wait = running_.empty() ? idle_look_interval : look_interval;
    for (const auto &phase : running_) {
        if (phase->ended() || phase->wants_checks()) {
            return 0ms;
        }
        wait = std::min(wait, phase->next_deadline() - now);
    }
    if (const auto interval = observer_.refresh_interval()) {
        wait = std::min(wait, *interval);
    }
    if (next_due_) {
        wait = std::min(wait, Milliseconds(*next_due_ - clock_.now()));
    }
    return std::max(wait, 0ms);
}

// What other processes did to the run, and whether one of them died.
void Executor::look_after_state()
{
    const Milliseconds now = clock_.monotonic();
    if (now - touched_at_ >= touch_interval) {
        touched_at_ = now;
        state_.touch();
        results_.sync();
    }
    if (running_.empty() && has_open_attempts(database_, options_.run_id)) {
        forget_dead_processes(state_, options_.run_id);
        adopt_jobs();
    }
    const int64_t version = database_.query_integer("PRAGMA data_version");
    if (std::exchange(data_version_, version) != version) {
        obey();
    }
}

void Executor::refresh_display()
{
    const auto interval = observer_.refresh_interval();
    const Milliseconds now = clock_.monotonic();
    if (!interval || now - refreshed_at_ < *interval) {
        return;
    }
    refreshed_at_ = now;
    std::vector<ExecutorPhaseView> views;
    for (const auto &phase : running_) {
        const Lease &lease = phase->lease();
        const Budget budget = show_budget(database_, lease.run_id, lease.phase.id);
        views.push_back({lease.phase.id, lease.number, phase->is_checking(),
                         phase->elapsed(), budget.tokens_used, budget.token_cap});
    }
    const RunSummary run = show_run(database_, options_.run_id);
    observer_.refresh({run.phases, run.phases_complete, run.tokens_used, run.token_cap},
                      views);
}

void Executor::say(const ExecutorEvent &event)
{
    if (log_) {
        std::string line = format_rfc3339(clock_.now()) + " " + event.kind;
        if (!event.phase_id.empty()) {
            line += " phase " + event.phase_id;
        }
        if (event.attempt > 0) {
            line += " attempt " + std::to_string(event.attempt);
        }
        if (!event.status.empty()) {
            line += " " + event.status;
        }
        if (!event.message.empty()) {
            line += ": " + printable(event.message, 2000);
        }
        log_->append(line + "\n");
    }
    observer_.event(event);
}

} // namespace ap
