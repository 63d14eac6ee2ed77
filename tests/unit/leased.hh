#pragma once

#include "check.hh"
#include "support.hh"

#include "domain/lease.hh"
#include "domain/run.hh"
#include "domain/state.hh"
#include "sys/process.hh"

#include <string>

namespace check {

/// A state with a run `r` whose phases `a` and `b` can be leased.
class LeasedRun
{
public:
    /// `members`: of phase a, after its command, such as R"(, "agent": "codex")"; `work`:
    /// that command.
    explicit LeasedRun(const std::string &members = "",
                       const std::string &work = R"("command": ["true"])")
        : state_({directory_.file("autopack.db"), directory_.file(".autonomous_runs"),
                  directory_.path()},
                 ap::State::Access::Create, "test")
    {
        const std::string text = R"({"run_id": "r", "phases": [
            {"id": "a", )" + work +
                                 members + R"(}, {"id": "b", "command": ["true"]}]})";
        ap::create_run(get(), ap::parse_plan(text, "p"), text, ap::TokenCaps(), clock_);
        const ap::ProcessIdentity self = ap::ProcessIdentity::self();
        get()
            .prepare("INSERT INTO executors (run_id, pid, pid_started, boot_id, jobs, "
                     "started_at) VALUES ('r', ?, ?, ?, 1, 0)")
            .bind_all(int64_t{self.pid}, self.started, self.boot_id)
            .run();
        executor_id_ = get().last_insert_id();
    }

    ap::Sqlite &get() { return state_.database(); }
    const ap::StatePaths &paths() const { return state_.paths(); }
    ManualClock &clock() { return clock_; }

    /// Leases the next phase.
    ap::Lease lease()
    {
        ap::Transaction transaction(get());
        auto lease = ap::lease_next_phase(get(), "r", executor_id_, clock_);
        CHECK(lease.has_value());
        transaction.commit();
        return std::move(*lease);
    }

    void finish(const ap::Lease &lease, ap::AttemptStatus status)
    {
        ap::AttemptOutcome outcome;
        outcome.status = status;
        ap::Transaction transaction(get());
        ap::finish_attempt(get(), lease, outcome, 0, clock_);
        transaction.commit();
    }

private:
    TemporaryDirectory directory_;
    ManualClock clock_;
    ap::State state_;
    int64_t executor_id_ = 0;
};

} // namespace check
