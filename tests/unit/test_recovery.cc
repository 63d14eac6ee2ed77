#include "check.hh"
#include "eventually.hh"
#include "support.hh"

#include "domain/attempt_usage.hh"
#include "domain/batch_job.hh"
#include "domain/control.hh"
#include "domain/integrity.hh"
#include "domain/lease.hh"
#include "domain/run.hh"
#include "sys/fd.hh"
#include "sys/fifo.hh"
#include "sys/path.hh"
#include "sys/process.hh"

#include <array>
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

using namespace ap;
using namespace std::chrono_literals;

namespace {

// A process that no longer is: its pid is used (by this one), its start time is not its.
ProcessIdentity dead_process()
{
    ProcessIdentity process = ProcessIdentity::self();
    process.started--;
    return process;
}

ProcessIdentity process_of_an_earlier_boot()
{
    ProcessIdentity process = ProcessIdentity::self();
    process.boot_id = "00000000-0000-0000-0000-000000000000";
    return process;
}

class Fixture
{
public:
    explicit Fixture(const std::string &limits = "", const std::string &grace = "200ms")
        : state_(check::paths_in(directory_), State::Access::Create, "test")
    {
        const std::string text = R"({"run_id": "r", "phases": [
            {"id": "a", "command": "true", "grace": ")" +
                                 grace + "\"" + limits + R"(},
            {"id": "b", "command": "true", "depends_on": ["a"]}]})";
        create_run(get(), parse_plan(text, "p"), text, TokenCaps(), clock_);
    }

    State &state() { return state_; }
    Sqlite &get() { return state_.database(); }

    int64_t add_executor(const ProcessIdentity &process)
    {
        get().execute("UPDATE runs SET status = 'EXECUTING', reason = NULL");
        get()
            .prepare("INSERT INTO executors (run_id, pid, pid_started, boot_id, jobs, "
                     "started_at) VALUES ('r', ?, ?, ?, 1, 0)")
            .bind_all(int64_t{process.pid}, process.started, process.boot_id)
            .run();
        return get().last_insert_id();
    }

    void add_connection(const ProcessIdentity &process)
    {
        get()
            .prepare("INSERT INTO connections (pid, pid_started, boot_id, tool, "
                     "opened_at, last_seen) VALUES (?, ?, ?, 'gone', 0, 0)")
            .bind_all(int64_t{process.pid}, process.started, process.boot_id)
            .run();
    }

    Lease lease(int64_t executor_id)
    {
        Transaction transaction(get());
        auto lease = lease_next_phase(get(), "r", executor_id, clock_);
        CHECK(lease.has_value());
        transaction.commit();
        return std::move(*lease);
    }

    UsageFiles usage_files_of(const Lease &lease)
    {
        const std::string directory =
            state_.paths().attempt_directory(lease.run_id, lease.phase.id, lease.number);
        make_directories(directory);
        return usage_files(directory);
    }

    std::string phases()
    {
        return get().query_text("SELECT group_concat(phase_id || ':' || status, ' ') "
                                "FROM (SELECT * FROM phases ORDER BY ordinal)");
    }

    std::string attempt()
    {
        return get().query_text("SELECT status || ': ' || reason FROM attempts "
                                "ORDER BY attempt_id DESC LIMIT 1");
    }

    std::string run()
    {
        return get().query_text("SELECT status || ': ' || coalesce(reason, '') "
                                "FROM runs");
    }

    void check_sound()
    {
        for (const Finding &finding : check_integrity(get())) {
            check::fail_at(__FILE__, __LINE__, finding.rule + ": " + finding.detail);
        }
    }

private:
    check::TemporaryDirectory directory_;
    State state_;
    check::ManualClock clock_;
};

// A shell of its own session that carries the lease; killed at the end whatever happens.
class Orphan
{
public:
    Orphan(const std::string &lease, const std::string &script)
    {
        Pipe ready = make_pipe();
        pid_ = fork();
        if (pid_ == 0) {
            const std::string entry = "AUTOPACK_LEASE=" + lease;
            setsid();
            dup2(ready.write.get(), STDOUT_FILENO);
            execle("/bin/sh", "sh", "-c", script.c_str(), nullptr,
                   std::array<const char *, 3>{
                       entry.c_str(), "PATH=/usr/local/bin:/usr/bin:/bin", nullptr}
                       .data());
            _exit(127);
        }
        ready.write.reset();
        CHECK(check::becomes_readable(ready.read.get()));
    }
    ~Orphan()
    {
        ::kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    Orphan(const Orphan &) = delete;
    Orphan &operator=(const Orphan &) = delete;

    bool is_running() const { return process_start_time(pid_).has_value(); }

private:
    pid_t pid_ = -1;
};

void leaves_the_living_alone()
{
    Fixture run;
    run.lease(run.add_executor(ProcessIdentity::self()));
    const CleanupResult result = forget_dead_processes(run.state());
    CHECK_EQUAL(result.connections + result.executors + result.attempts, 0);
    CHECK_EQUAL(run.phases(), "a:EXECUTING b:QUEUED");
    CHECK_EQUAL(run.run(), "EXECUTING: ");
    CHECK_EQUAL(run.get().query_integer("SELECT count(*) FROM connections"), 1);
}

void forgets_connections_of_reused_pids_and_earlier_boots()
{
    Fixture run;
    run.add_connection(dead_process());
    run.add_connection(process_of_an_earlier_boot());
    CHECK_EQUAL(forget_dead_processes(run.state()).connections, 2);
    CHECK_EQUAL(run.get().query_text("SELECT group_concat(tool) FROM connections"),
                "test");
}

void queues_the_phase_of_a_dead_executor_again()
{
    Fixture run;
    run.lease(run.add_executor(dead_process()));
    const CleanupResult result = forget_dead_processes(run.state());
    CHECK_EQUAL(result.executors, 1);
    CHECK_EQUAL(result.attempts, 1);
    CHECK_EQUAL(run.phases(), "a:QUEUED b:QUEUED");
    CHECK_EQUAL(run.attempt(),
                "INTERRUPTED: its executor (pid " + std::to_string(getpid()) + ") died");
    CHECK_EQUAL(run.get().query_text("SELECT failures || '/' || interruptions FROM "
                                     "phases WHERE phase_id = 'a'"),
                "0/1");
    CHECK_EQUAL(run.run(), "STOPPED: its executor died");
    CHECK_EQUAL(run.get().query_text("SELECT outcome FROM executors"), "died");
    CHECK_EQUAL(run.get().query_integer(
                    "SELECT count(*) FROM events WHERE kind = 'executor.died'"),
                1);
    run.check_sound();
    CHECK_EQUAL(forget_dead_processes(run.state()).executors, 0);
}

void writes_the_result_file_of_a_lost_attempt()
{
    Fixture run;
    const Lease lease = run.lease(run.add_executor(dead_process()));
    forget_dead_processes(run.state());
    const std::string file = join_path(
        run.state().paths().attempt_directory("r", "a", lease.number), "result.json");
    CHECK_EQUAL(
        Json::parse(read_file(file, 4096), "result").get_string("status").value_or(""),
        "INTERRUPTED");
}

void writes_the_result_files_that_a_dead_executor_owed()
{
    Fixture run;
    const Lease lease = run.lease(run.add_executor(dead_process()));
    AttemptOutcome outcome;
    outcome.status = AttemptStatus::Succeeded;
    Transaction transaction(run.get());
    finish_attempt(run.get(), lease, outcome, 0, SystemClock());
    transaction.commit();
    forget_dead_processes(run.state());
    CHECK(path_exists(
        join_path(run.state().paths().attempt_directory("r", "a", 1), "result.json")));
}

// What usage the database has of the attempt, in order.
std::string usage(Fixture &run)
{
    return run.get().query_text("SELECT group_concat(prompt_tokens || '/' || attempt || "
                                "'/' || source, ' ') FROM llm_usage_events");
}

void counts_the_usage_that_a_dead_executor_had_not_recorded()
{
    Fixture run;
    const Lease lease = run.lease(run.add_executor(dead_process()));
    const UsageFiles files = run.usage_files_of(lease);
    const std::string recorded = "{\"prompt_tokens\": 1}\n";
    write_file_atomically(files.spool, recorded + "{\"prompt_tokens\": 2}\n");
    mark_usage_read(run.get(), lease.attempt_id, static_cast<int64_t>(recorded.size()));
    const Fd keeper = open_fifo(files.fifo);
    write_all(keeper.get(), "{\"prompt_tokens\": 4}\nnonsense\n{\"prompt_tokens\": 8}",
              "FIFO");
    forget_dead_processes(run.state());
    CHECK_EQUAL(usage(run), "2/1/fifo 4/1/fifo 8/1/fifo");
    CHECK_EQUAL(run.get().query_text("SELECT detail ->> 'line' FROM events WHERE kind = "
                                     "'usage.rejected' AND phase_id = 'a'"),
                "nonsense");
    CHECK(!path_exists(files.spool));
    CHECK(!path_exists(files.fifo));
    run.check_sound();
}

void counts_left_usage_once_even_if_its_files_outlast_the_recovery()
{
    Fixture run;
    const Lease lease = run.lease(run.add_executor(dead_process()));
    const UsageFiles files = run.usage_files_of(lease);
    const std::string line = "{\"prompt_tokens\": 2}\n";
    write_file_atomically(files.spool, line);
    forget_dead_processes(run.state());
    // As if the process had been killed between its commit and the removal.
    write_file_atomically(files.spool, line);
    record_left_usage(run.state(), lease, SystemClock());
    forget_dead_processes(run.state());
    CHECK_EQUAL(usage(run), "2/1/fifo");
}

void leaves_the_run_executing_while_another_executor_lives()
{
    Fixture run;
    run.lease(run.add_executor(dead_process()));
    run.add_executor(ProcessIdentity::self());
    forget_dead_processes(run.state());
    CHECK_EQUAL(run.phases(), "a:QUEUED b:QUEUED");
    CHECK_EQUAL(run.run(), "EXECUTING: ");
}

void looks_only_at_the_run_it_is_given()
{
    Fixture run;
    run.lease(run.add_executor(dead_process()));
    CHECK_EQUAL(forget_dead_processes(run.state(), "other").executors, 0);
    CHECK_EQUAL(run.phases(), "a:EXECUTING b:QUEUED");
    CHECK_EQUAL(forget_dead_processes(run.state(), "r").executors, 1);
}

void fails_a_phase_that_was_interrupted_too_often()
{
    Fixture run(R"(, "max_interruptions": 1)");
    run.lease(run.add_executor(dead_process()));
    forget_dead_processes(run.state());
    CHECK_EQUAL(run.phases(), "a:QUEUED b:QUEUED");
    run.lease(run.add_executor(dead_process()));
    forget_dead_processes(run.state());
    CHECK_EQUAL(run.phases(), "a:FAILED b:SKIPPED");
    CHECK_EQUAL(run.run(), "DONE_FAILED: ");
    run.check_sound();
}

void takes_a_requested_timeout_for_the_end_of_the_attempt()
{
    Fixture run;
    const SystemClock clock;
    run.lease(run.add_executor(dead_process()));
    const int64_t control =
        submit_control(run.get(), "r", ControlVerb::Timeout, "a", "file", clock);
    forget_dead_processes(run.state());
    CHECK_EQUAL(run.attempt(), "TIMED_OUT: timed out on request");
    CHECK_EQUAL(run.phases(), "a:FAILED b:SKIPPED");
    CHECK(show_control(run.get(), control).applied_at.has_value());
    run.check_sound();
}

void tries_again_after_a_requested_timeout_if_the_plan_says_so()
{
    Fixture run(R"(, "max_attempts": 2)");
    const SystemClock clock;
    run.lease(run.add_executor(dead_process()));
    submit_control(run.get(), "r", ControlVerb::Timeout, "a", "file", clock);
    forget_dead_processes(run.state());
    CHECK_EQUAL(run.phases(), "a:QUEUED b:QUEUED");
    CHECK_EQUAL(run.get().query_text("SELECT failures || '/' || interruptions FROM "
                                     "phases WHERE phase_id = 'a'"),
                "1/0");
    run.check_sound();
}

void ends_what_the_attempt_left_running_first()
{
    Fixture run;
    const Lease lease = run.lease(run.add_executor(dead_process()));
    const Orphan polite(lease.token, "echo; exec sleep 100");
    const Orphan deaf(lease.token, "trap '' TERM; echo; while :; do sleep 1; done");
    const Orphan stranger("another", "echo; exec sleep 100");
    forget_dead_processes(run.state());
    CHECK(!polite.is_running());
    CHECK(!deaf.is_running());
    CHECK(stranger.is_running());
    CHECK_EQUAL(run.phases(), "a:QUEUED b:QUEUED");
}

// Nobody waits for the write lock while processes are ended, which may take seconds.
void ends_them_without_holding_the_database()
{
    Fixture run("", "10s");
    const Lease lease = run.lease(run.add_executor(dead_process()));
    const std::string script = run.state().paths().directory + "/write.sh";
    write_file_atomically(script, "sqlite3 '" + run.state().paths().database +
                                      "' \"UPDATE runs SET goal = 'written'\"\n");
    const Orphan orphan(lease.token, "trap 'sh " + script +
                                         "; exit' TERM; echo; while :; do sleep 0.01; "
                                         "done");
    forget_dead_processes(run.state());
    CHECK_EQUAL(run.get().query_text("SELECT goal FROM runs"), "written");
}

void leaves_batch_jobs_to_the_next_executor()
{
    Fixture run;
    announce_batch_job(run.get(), run.lease(run.add_executor(dead_process())));
    const CleanupResult result = forget_dead_processes(run.state());
    CHECK_EQUAL(result.executors, 1);
    CHECK_EQUAL(result.attempts, 0);
    CHECK_EQUAL(run.phases(), "a:EXECUTING b:QUEUED");
    run.check_sound();
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(leaves_the_living_alone),
        TEST(forgets_connections_of_reused_pids_and_earlier_boots),
        TEST(queues_the_phase_of_a_dead_executor_again),
        TEST(writes_the_result_file_of_a_lost_attempt),
        TEST(writes_the_result_files_that_a_dead_executor_owed),
        TEST(counts_the_usage_that_a_dead_executor_had_not_recorded),
        TEST(counts_left_usage_once_even_if_its_files_outlast_the_recovery),
        TEST(leaves_the_run_executing_while_another_executor_lives),
        TEST(looks_only_at_the_run_it_is_given),
        TEST(fails_a_phase_that_was_interrupted_too_often),
        TEST(takes_a_requested_timeout_for_the_end_of_the_attempt),
        TEST(tries_again_after_a_requested_timeout_if_the_plan_says_so),
        TEST(ends_what_the_attempt_left_running_first),
        TEST(ends_them_without_holding_the_database),
        TEST(leaves_batch_jobs_to_the_next_executor),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
