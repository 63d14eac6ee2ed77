// Before cmocka, whose macro fail would hit a member of RunningPhase.
#include "domain/executor.hh"

#include "check.hh"
#include "support.hh"

#include "domain/integrity.hh"
#include "domain/run.hh"
#include "sys/process.hh"

#include <csignal>
#include <functional>
#include <map>
#include <string>
#include <unistd.h>

using namespace ap;
using namespace std::chrono_literals;

namespace {

// Writes down what it is told, and does what a test wants done at that moment.
class Observer final : public ExecutorObserver
{
public:
    void event(const ExecutorEvent &event) override
    {
        std::string line = event.kind;
        if (!event.phase_id.empty()) {
            line += " " + event.phase_id;
        }
        if (!event.status.empty()) {
            line += " " + event.status;
        }
        log += (log.empty() ? "" : ", ") + line;
        messages += event.message + "\n";
        if (const auto reaction = reactions.find(line); reaction != reactions.end()) {
            const auto work = reaction->second;
            reactions.erase(reaction);
            work();
        }
    }
    void status(const std::string &text) override
    {
        statuses += text + "\n";
        if (on_status) {
            on_status();
        }
    }

    std::string log;
    std::string messages;
    std::string statuses;
    std::map<std::string, std::function<void()>> reactions;
    std::function<void()> on_status;
};

// A run of the given phases (the JSON of their array) and members.
class Fixture
{
public:
    explicit Fixture(const std::string &phases, const std::string &members = "")
        : state_(paths_, State::Access::Create, "test")
    {
        const std::string text =
            R"({"run_id": "r", )" + members + R"("phases": )" + phases + "}";
        create_run(get(), parse_plan(text, "p"), text, {}, clock_);
    }

    Sqlite &get() { return state_.database(); }
    const StatePaths &paths() const { return paths_; }

    ExitStatus run(ExecutorOptions options = {})
    {
        options.run_id = "r";
        return Executor(state_, std::move(options), observer, clock_).run();
    }

    // As another process would.
    void request(ControlVerb verb, std::string_view phase = {})
    {
        Sqlite other(paths_.database, OpenMode::ReadWrite);
        submit_control(other, "r", verb, phase, "test", clock_);
        wake_executors(paths_, "r");
    }

    std::string text(std::string_view sql) { return get().query_text(sql); }
    std::string phases()
    {
        return text("SELECT group_concat(phase_id || ':' || status, ' ') FROM "
                    "(SELECT * FROM phases ORDER BY ordinal)");
    }
    std::string attempts()
    {
        return text("SELECT group_concat(phase_id || number || ':' || status, ' ') "
                    "FROM (SELECT * FROM attempts ORDER BY attempt_id)");
    }

    std::string output(const std::string &phase, int number = 1)
    {
        return read_file(
            join_path(paths_.attempt_directory("r", phase, number), "stdout"), 1 << 20);
    }

    void check_sound()
    {
        for (const Finding &finding : check_integrity(get())) {
            check::fail_at(__FILE__, __LINE__, finding.rule + ": " + finding.detail);
        }
    }

    Observer observer;

private:
    check::TemporaryDirectory directory_;
    StatePaths paths_ = check::paths_in(directory_);
    State state_;
    SystemClock clock_;
};

constexpr const char *sleeper = R"([{"id": "a", "command": ["sleep", "60"],
                                     "grace": "1s"},
                                    {"id": "b", "command": "true"}])";

void a_run_is_executed_to_its_end()
{
    Fixture run(R"([{"id": "a", "command": "echo $AUTOPACK_RUN_ID/$AUTOPACK_PHASE_ID"},
                    {"id": "b", "command": ["true"], "check": [["true"], ["true"]],
                     "depends_on": ["a"]}])");
    CHECK_EQUAL(run.run(), ExitStatus::Done);
    CHECK_EQUAL(run.observer.log,
                "run.started, phase.started a, phase.ended a SUCCEEDED, phase.started b, "
                "phase.checks b, phase.ended b SUCCEEDED, run.ended DONE_SUCCESS");
    CHECK_EQUAL(run.output("a"), "r/a\n");
    CHECK_EQUAL(run.phases(), "a:COMPLETE b:COMPLETE");
    CHECK_EQUAL(run.text("SELECT outcome FROM executors WHERE ended_at IS NOT NULL"),
                "done");
    run.check_sound();
}

void a_run_that_has_ended_is_left_alone()
{
    Fixture run(R"([{"id": "a", "command": "true"}])");
    run.run();
    run.observer.log.clear();
    CHECK_EQUAL(run.run(), ExitStatus::Done);
    CHECK_EQUAL(run.observer.log, "run.ended DONE_SUCCESS");
}

void a_failed_phase_fails_the_run()
{
    Fixture run(R"([{"id": "a", "command": "exit 3"},
                    {"id": "b", "command": "true", "depends_on": ["a"]},
                    {"id": "c", "command": "true"}])");
    CHECK_EQUAL(run.run(), ExitStatus::Failed);
    CHECK_EQUAL(run.phases(), "a:FAILED b:SKIPPED c:COMPLETE");
    CHECK_EQUAL(run.text("SELECT exit_code || reason FROM attempts WHERE phase_id = 'a'"),
                "3exit status 3");
    run.check_sound();
}

void a_failing_check_fails_the_attempt()
{
    Fixture run(
        R"([{"id": "a", "command": "true", "check": [["true"], ["sh", "-c", "exit 4"]]}])");
    CHECK_EQUAL(run.run(), ExitStatus::Failed);
    CHECK_EQUAL(run.text("SELECT reason FROM attempts"), "check 2: exit status 4");
}

void a_missing_output_fails_the_attempt()
{
    Fixture run(R"([{"id": "a", "command": "true", "outputs": ["made.txt"]}])");
    CHECK_EQUAL(run.run(), ExitStatus::Failed);
    CHECK_EQUAL(run.text("SELECT reason FROM attempts"),
                "output 'made.txt' was not made");
}

void what_cannot_be_executed_fails_the_attempt()
{
    Fixture run(R"([{"id": "a", "command": ["./no-such-program"]}])");
    CHECK_EQUAL(run.run(), ExitStatus::Failed);
    CHECK_EQUAL(run.text("SELECT reason FROM attempts"),
                "cannot execute './no-such-program': No such file or directory");
}

void an_attempt_is_tried_again()
{
    Fixture run(R"([{"id": "a", "command": "[ $AUTOPACK_ATTEMPT -eq 3 ]",
                     "max_attempts": 3, "backoff": {"first": "5ms"}}])");
    CHECK_EQUAL(run.run(), ExitStatus::Done);
    CHECK_EQUAL(run.attempts(), "a1:FAILED a2:FAILED a3:SUCCEEDED");
    run.check_sound();
}

// Each waits for the other's file: alone neither would end.
void jobs_execute_at_the_same_time()
{
    const std::string meet = R"("command": "touch $AUTOPACK_PHASE_ID; )"
                             R"(until [ -e a ] && [ -e b ]; do sleep 0.01; done"})";
    Fixture run("[{\"id\": \"a\", " + meet + ", {\"id\": \"b\", " + meet + "]");
    ExecutorOptions options;
    options.jobs = 2;
    CHECK_EQUAL(run.run(options), ExitStatus::Done);
}

void once_executes_one_attempt()
{
    Fixture run(R"([{"id": "a", "command": "true"}, {"id": "b", "command": "true"}])");
    ExecutorOptions options;
    options.once = true;
    CHECK_EQUAL(run.run(options), ExitStatus::Done);
    CHECK_EQUAL(run.phases(), "a:COMPLETE b:QUEUED");
    CHECK_EQUAL(run.text("SELECT status FROM runs"), "STOPPED");
    CHECK_EQUAL(run.run(), ExitStatus::Done);
    CHECK_EQUAL(run.phases(), "a:COMPLETE b:COMPLETE");
}

void after_the_first_failure_nothing_more_is_started()
{
    Fixture run(R"([{"id": "a", "command": "false"}, {"id": "b", "command": "true"}])");
    ExecutorOptions options;
    options.stop_on_first_failure = true;
    CHECK_EQUAL(run.run(options), ExitStatus::Failed);
    CHECK_EQUAL(run.phases(), "a:FAILED b:QUEUED");
}

void a_stop_lets_what_executes_end()
{
    Fixture run(R"([{"id": "a", "command": "true"}, {"id": "b", "command": "true"}])");
    run.observer.reactions["phase.started a"] = [&] { run.request(ControlVerb::Stop); };
    CHECK_EQUAL(run.run(), ExitStatus::Stopped);
    CHECK_EQUAL(run.phases(), "a:COMPLETE b:QUEUED");
    CHECK_EQUAL(run.text("SELECT status || ':' || reason FROM runs"),
                "STOPPED:stopped on request");
    CHECK_EQUAL(run.run(), ExitStatus::Done);
    run.check_sound();
}

void an_abort_ends_what_executes()
{
    Fixture run(sleeper);
    run.observer.reactions["phase.started a"] = [&] { run.request(ControlVerb::Abort); };
    CHECK_EQUAL(run.run(), ExitStatus::Aborted);
    CHECK_EQUAL(run.phases(), "a:FAILED b:SKIPPED");
    CHECK_EQUAL(run.attempts(), "a1:ABORTED");
    run.check_sound();
}

void a_requested_timeout_ends_its_phase_alone()
{
    Fixture run(sleeper);
    run.observer.reactions["phase.started a"] = [&] {
        run.request(ControlVerb::Timeout, "a");
    };
    CHECK_EQUAL(run.run(), ExitStatus::Failed);
    CHECK_EQUAL(run.phases(), "a:FAILED b:COMPLETE");
    CHECK_EQUAL(run.attempts(), "a1:TIMED_OUT b1:SUCCEEDED");
}

void a_requested_timeout_of_a_phase_that_waits_is_kept_for_it()
{
    Fixture run(sleeper);
    run.request(ControlVerb::Timeout, "a");
    CHECK_EQUAL(run.run(), ExitStatus::Failed);
    CHECK_EQUAL(run.attempts(), "a1:TIMED_OUT b1:SUCCEEDED");
}

void a_pause_holds_until_the_run_is_resumed()
{
    Fixture run(R"([{"id": "a", "command": "true"}, {"id": "b", "command": "true"}])");
    run.observer.reactions["phase.started a"] = [&] { run.request(ControlVerb::Pause); };
    run.observer.reactions["phase.ended a SUCCEEDED"] = [&] {
        run.request(ControlVerb::Resume);
    };
    CHECK_EQUAL(run.run(), ExitStatus::Done);
    CHECK(run.observer.messages.find("paused\n") != std::string::npos);
    CHECK(run.observer.messages.find("resumed\n") != std::string::npos);
}

void term_stops_and_a_second_one_aborts()
{
    Fixture stopped(
        R"([{"id": "a", "command": "true"}, {"id": "b", "command": "true"}])");
    stopped.observer.reactions["phase.started a"] = [] { kill(getpid(), SIGTERM); };
    CHECK_EQUAL(stopped.run(), ExitStatus::Stopped);
    CHECK_EQUAL(stopped.phases(), "a:COMPLETE b:QUEUED");
    Fixture aborted(sleeper);
    aborted.observer.reactions["phase.started a"] = [] { kill(getpid(), SIGTERM); };
    aborted.observer.reactions["note"] = [] { kill(getpid(), SIGTERM); };
    CHECK_EQUAL(aborted.run(), ExitStatus::Aborted);
    CHECK_EQUAL(aborted.attempts(), "a1:ABORTED");
    aborted.check_sound();
}

void usr1_asks_for_the_status()
{
    Fixture run(R"([{"id": "a", "command": "until [ -e go ]; do sleep 0.01; done"}])");
    run.observer.reactions["phase.started a"] = [] { kill(getpid(), SIGUSR1); };
    run.observer.on_status = [&] {
        write_file_atomically(join_path(run.paths().directory, "go"), "");
    };
    CHECK_EQUAL(run.run(), ExitStatus::Done);
    CHECK(run.observer.statuses.starts_with("run r: 0 of 5000000 tokens; 1 executing; "
                                            "phase a attempt 1 for "));
}

void an_attempt_ends_when_its_time_is_up()
{
    Fixture run(R"([{"id": "a", "command": ["sleep", "60"], "timeout": "100ms"},
                    {"id": "b", "command": ["sleep", "60"], "idle_timeout": "100ms"}])");
    CHECK_EQUAL(run.run(), ExitStatus::Failed);
    CHECK_EQUAL(run.attempts(), "a1:TIMED_OUT b1:IDLE_TIMED_OUT");
    CHECK_EQUAL(run.text("SELECT reason FROM attempts WHERE phase_id = 'b'"),
                "no output for 100ms");
}

constexpr const char *spender = R"([{"id": "a", "token_cap": 100, "command":
    "echo '{\"prompt_tokens\": 101}' >$AUTOPACK_USAGE_FIFO; sleep 60", "max_attempts": 5},
    {"id": "b", "command": "true"}])";

void a_phase_over_its_cap_fails_for_good()
{
    Fixture run(spender);
    CHECK_EQUAL(run.run(), ExitStatus::Failed);
    CHECK_EQUAL(run.attempts(), "a1:BUDGET_EXHAUSTED b1:SUCCEEDED");
    CHECK_EQUAL(run.phases(), "a:FAILED b:COMPLETE");
}

void a_run_over_its_cap_is_aborted()
{
    Fixture run(spender, R"("token_cap": 50, )");
    CHECK_EQUAL(run.run(), ExitStatus::BudgetExhausted);
    CHECK_EQUAL(run.attempts(), "a1:BUDGET_EXHAUSTED");
    CHECK_EQUAL(run.text("SELECT status FROM runs"), "DONE_FAILED_BUDGET_EXHAUSTED");
    run.check_sound();
}

void usage_of_the_last_breath_counts()
{
    Fixture run(R"([{"id": "a", "token_cap": 100, "command":
        "printf '{\"prompt_tokens\": 101}' >$AUTOPACK_USAGE_FIFO"}])");
    CHECK_EQUAL(run.run(), ExitStatus::Failed);
    CHECK_EQUAL(run.attempts(), "a1:BUDGET_EXHAUSTED");
}

void an_agents_output_is_read_for_its_usage()
{
    Fixture run(R"([{"id": "a", "agent": "codex", "command":
        "echo '{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":9}}'"}])");
    CHECK_EQUAL(run.run(), ExitStatus::Done);
    CHECK_EQUAL(run.text("SELECT prompt_tokens || source || attempt FROM "
                         "llm_usage_events"),
                "9stdout1");
}

void malformed_usage_is_a_warning()
{
    Fixture run(R"([{"id": "a", "command": "echo nonsense >$AUTOPACK_USAGE_FIFO"}])");
    CHECK_EQUAL(run.run(), ExitStatus::Done);
    CHECK(run.observer.log.find("warning a") != std::string::npos);
    CHECK(run.observer.messages.find("usage report 'nonsense' ignored") !=
          std::string::npos);
}

void what_a_dead_executor_left_is_taken_up()
{
    Fixture run(R"([{"id": "a", "command": "true"}])");
    run.get().execute(
        "UPDATE runs SET status = 'EXECUTING';"
        "INSERT INTO executors (run_id, pid, pid_started, boot_id, jobs, started_at) "
        "VALUES ('r', 1, -1, 'an earlier boot', 1, 0);"
        "UPDATE phases SET status = 'EXECUTING', attempts_made = 1;"
        "INSERT INTO attempts (run_id, phase_id, number, executor_id, lease, started_at) "
        "VALUES ('r', 'a', 1, 1, 'none', 0)");
    CHECK_EQUAL(run.run(), ExitStatus::Done);
    CHECK_EQUAL(run.attempts(), "a1:INTERRUPTED a2:SUCCEEDED");
    CHECK(path_exists(
        join_path(run.paths().attempt_directory("r", "a", 1), "result.json")));
    run.check_sound();
}

void the_result_files_of_a_run_that_has_ended_are_made_up_for()
{
    Fixture run(R"([{"id": "a", "command": "true"}])");
    run.run();
    const std::string file =
        join_path(run.paths().attempt_directory("r", "a", 1), "result.json");
    remove_file(file);
    run.get().execute("UPDATE attempts SET result_pending = 1");
    CHECK_EQUAL(run.run(), ExitStatus::Done);
    CHECK(path_exists(file));
    CHECK_EQUAL(run.text("SELECT result_pending FROM attempts"), "0");
}

void an_unknown_run_is_an_error()
{
    Fixture run(R"([{"id": "a", "command": "true"}])");
    run.get().execute("DELETE FROM runs");
    CHECK_THROWS(run.run(), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::NoInput);
    });
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_run_is_executed_to_its_end),
        TEST(a_run_that_has_ended_is_left_alone),
        TEST(a_failed_phase_fails_the_run),
        TEST(a_failing_check_fails_the_attempt),
        TEST(a_missing_output_fails_the_attempt),
        TEST(what_cannot_be_executed_fails_the_attempt),
        TEST(an_attempt_is_tried_again),
        TEST(jobs_execute_at_the_same_time),
        TEST(once_executes_one_attempt),
        TEST(after_the_first_failure_nothing_more_is_started),
        TEST(a_stop_lets_what_executes_end),
        TEST(an_abort_ends_what_executes),
        TEST(a_requested_timeout_ends_its_phase_alone),
        TEST(a_requested_timeout_of_a_phase_that_waits_is_kept_for_it),
        TEST(a_pause_holds_until_the_run_is_resumed),
        TEST(term_stops_and_a_second_one_aborts),
        TEST(usr1_asks_for_the_status),
        TEST(an_attempt_ends_when_its_time_is_up),
        TEST(a_phase_over_its_cap_fails_for_good),
        TEST(a_run_over_its_cap_is_aborted),
        TEST(usage_of_the_last_breath_counts),
        TEST(an_agents_output_is_read_for_its_usage),
        TEST(malformed_usage_is_a_warning),
        TEST(what_a_dead_executor_left_is_taken_up),
        TEST(the_result_files_of_a_run_that_has_ended_are_made_up_for),
        TEST(an_unknown_run_is_an_error),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
