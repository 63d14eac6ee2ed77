#include "check.hh"
#include "support.hh"

#include "domain/batch_job.hh"
#include "domain/control_request.hh"
#include "domain/lease.hh"
#include "domain/run.hh"
#include "sys/process.hh"

#include <thread>

using namespace ap;
using namespace std::chrono_literals;

namespace {

// A state with a run `r` of one phase, `a`.
class ControlledRun
{
public:
    ControlledRun()
        : state_({directory_.file("autopack.db"), directory_.file(".autonomous_runs"),
                  directory_.path()},
                 State::Access::Create, "test")
    {
        const std::string text =
            R"({"run_id": "r", "phases": [{"id": "a", "command": ["true"]}]})";
        create_run(database(), parse_plan(text, "p"), text, TokenCaps(), clock_);
    }

    // Makes this process an executor of the run.
    void execute()
    {
        const ProcessIdentity self = ProcessIdentity::self();
        database()
            .prepare("INSERT INTO executors (run_id, pid, pid_started, boot_id, jobs, "
                     "started_at) VALUES ('r', ?, ?, ?, 1, 0)")
            .bind_all(int64_t{self.pid}, self.started, self.boot_id)
            .run();
    }

    std::string request(ControlVerb verb, std::chrono::milliseconds wait = 0ms,
                        const std::string &phase = {})
    {
        return request_control(state_, {"r", verb, phase, wait}, clock_);
    }

    Sqlite &database() { return state_.database(); }
    const StatePaths &paths() const { return state_.paths(); }

private:
    check::TemporaryDirectory directory_;
    State state_;
    check::ManualClock clock_;
};

void carries_out_what_needs_no_executor()
{
    ControlledRun run;
    CHECK_EQUAL(run.request(ControlVerb::Pause), "run paused");
    CHECK_EQUAL(run.request(ControlVerb::Resume), "run resumed");
    CHECK_EQUAL(run.request(ControlVerb::Abort), "aborted; nothing was executing");
    CHECK_EQUAL(run_standing(run.database(), "r").status, "DONE_ABORTED");
}

void leaves_a_timeout_to_the_next_executor()
{
    ControlledRun run;
    CHECK_EQUAL(run.request(ControlVerb::Timeout, 0ms, "a"), "recorded");
    CHECK_EQUAL(pending_controls(run.database(), "r").size(), 1U);
}

void records_no_stop_that_nobody_can_obey()
{
    ControlledRun run;
    CHECK_THROWS(run.request(ControlVerb::Stop), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::Unavailable);
    });
    CHECK(pending_controls(run.database(), "r").empty());
}

void returns_what_an_executor_answers()
{
    ControlledRun run;
    run.execute();
    std::thread executor([&run] {
        const SystemClock clock;
        Sqlite database = open_database(run.paths(), State::Access::Write);
        while (true) {
            for (const Control &control : pending_controls(database, "r")) {
                apply_control(database, control.control_id, "stopping", clock);
                return;
            }
            std::this_thread::sleep_for(1ms);
        }
    });
    const std::string answer = run.request(ControlVerb::Stop, 30s);
    executor.join();
    CHECK_EQUAL(answer, "stopping");
}

void leaves_the_request_when_nobody_answers_in_time()
{
    ControlledRun run;
    run.execute();
    CHECK_THROWS(run.request(ControlVerb::Abort, 20ms), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::TryAgain);
    });
    CHECK_EQUAL(pending_controls(run.database(), "r").size(), 1U);
    CHECK_EQUAL(run.request(ControlVerb::Abort), "recorded");
}

void an_abort_with_batch_jobs_is_left_to_the_next_executor()
{
    ControlledRun run;
    run.execute();
    {
        Transaction transaction(run.database());
        announce_batch_job(run.database(),
                           *lease_next_phase(run.database(), "r", 1, SystemClock()));
        transaction.commit();
    }
    run.database().execute("UPDATE executors SET ended_at = 1, outcome = 'died'");
    CHECK_THROWS(run.request(ControlVerb::Abort), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::TryAgain);
    });
    CHECK_EQUAL(run_standing(run.database(), "r").requested, "abort");
    CHECK(has_open_batch_jobs(run.database(), "r"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(carries_out_what_needs_no_executor),
        TEST(leaves_a_timeout_to_the_next_executor),
        TEST(records_no_stop_that_nobody_can_obey),
        TEST(returns_what_an_executor_answers),
        TEST(leaves_the_request_when_nobody_answers_in_time),
        TEST(an_abort_with_batch_jobs_is_left_to_the_next_executor),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
