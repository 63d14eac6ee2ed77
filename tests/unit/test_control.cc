#include "check.hh"
#include "support.hh"

#include "domain/control.hh"
#include "domain/lease.hh"
#include "domain/run.hh"
#include "sys/watch.hh"

#include <algorithm>
#include <sys/stat.h>
#include <unistd.h>

using namespace ap;

namespace {

constexpr const char *stop_file = ".stop_executor";
constexpr const char *abort_file = ".abort_run";
constexpr const char *timeout_file = ".force_timeout";

// The runs r and s, each with the queued phases a and b.
class Fixture
{
public:
    Fixture()
        : state_(check::paths_in(directory_), State::Access::Create, "test")
        , files(state_, "r", clock)
    {
        for (const char *run : {"r", "s"}) {
            const std::string text = std::string(R"({"run_id": ")") + run +
                                     R"(", "phases": [{"id": "a", "command": "true"},
                                                      {"id": "b", "command": "true"}]})";
            create_run(get(), parse_plan(text, "p"), text, {}, clock);
        }
        make_directories(state_.paths().runs);
    }

    State &state() { return state_; }
    Sqlite &get() { return state_.database(); }

    int64_t submit(ControlVerb verb, std::string_view phase = {},
                   std::string_view run = "r")
    {
        return submit_control(get(), run, verb, phase, "test", clock);
    }

    void line(std::string_view text) { submit_control_line(get(), "r", text, clock); }

    // The requests of all runs, as "r:stop r:timeout/a".
    std::string controls()
    {
        return get().query_text("SELECT group_concat(run_id || ':' || verb || "
                                "iif(phase_id = '', '', '/' || phase_id), ' ') "
                                "FROM controls");
    }

    std::string requested()
    {
        return get().query_text("SELECT requested FROM runs WHERE run_id = 'r'");
    }

    void execute(std::string_view run, std::string_view phase)
    {
        get()
            .prepare("UPDATE phases SET status = 'EXECUTING' WHERE run_id = ?1 AND "
                     "phase_id = ?2")
            .bind_all(run, phase)
            .run();
    }

    std::string path(const std::string &name) const
    {
        return join_path(directory_.file("runs"), name);
    }
    void write(const char *name, std::string_view text) const
    {
        write_file_atomically(path(name), text);
    }
    std::string read(const std::string &name) const
    {
        return path_exists(path(name)) ? read_file(path(name), 1 << 20) : "";
    }

private:
    check::TemporaryDirectory directory_;
    State state_;

public:
    check::ManualClock clock;
    ControlFiles files;
};

void every_verb_has_a_name()
{
    for (const char *name : {"stop", "abort", "timeout", "pause", "resume"}) {
        const auto verb = control_verb_of(name);
        CHECK(verb.has_value());
        CHECK_EQUAL(control_verb_name(*verb), name);
    }
    CHECK(!control_verb_of("halt"));
    CHECK(!control_verb_of(""));
}

void a_stop_waits_for_an_executor()
{
    Fixture run;
    const int64_t id = run.submit(ControlVerb::Stop);
    CHECK_EQUAL(run.requested(), "stop");
    const auto pending = pending_controls(run.get(), "r");
    CHECK_EQUAL(pending.size(), 1u);
    CHECK_EQUAL(pending[0].control_id, id);
    CHECK(pending[0].verb == ControlVerb::Stop);
    CHECK(!show_control(run.get(), id).applied_at);
    CHECK(pending_controls(run.get(), "s").empty());
}

void a_stop_does_not_soften_an_abort()
{
    Fixture run;
    run.submit(ControlVerb::Abort);
    run.submit(ControlVerb::Stop);
    CHECK_EQUAL(run.requested(), "abort");
}

void an_abort_replaces_a_stop()
{
    Fixture run;
    run.submit(ControlVerb::Stop);
    run.submit(ControlVerb::Abort);
    CHECK_EQUAL(run.requested(), "abort");
}

void pause_and_resume_are_applied_at_once()
{
    Fixture run;
    const auto outcome = [&](ControlVerb verb) {
        return show_control(run.get(), run.submit(verb)).outcome.value_or("");
    };
    CHECK_EQUAL(outcome(ControlVerb::Pause), "run paused");
    CHECK(run_standing(run.get(), "r").paused);
    CHECK_EQUAL(outcome(ControlVerb::Pause), "run was paused already");
    CHECK_EQUAL(outcome(ControlVerb::Resume), "run resumed");
    CHECK_EQUAL(outcome(ControlVerb::Resume), "run was not paused");
    CHECK(!run_standing(run.get(), "r").paused);
    CHECK(pending_controls(run.get(), "r").empty());
}

void a_request_is_applied_once_and_logged()
{
    Fixture run;
    const int64_t id = run.submit(ControlVerb::Timeout, "a");
    apply_control(run.get(), id, "ended", run.clock);
    apply_control(run.get(), id, "ended again", run.clock);
    CHECK_EQUAL(show_control(run.get(), id).outcome.value_or(""), "ended");
    CHECK_EQUAL(run.get().query_text("SELECT group_concat(kind || ' ' || phase_id, ', ') "
                                     "FROM events WHERE kind GLOB 'control.*'"),
                "control.requested a, control.applied a");
}

void requests_of_what_is_not_open_are_refused_and_leave_no_trace()
{
    Fixture run;
    const auto refused = [&](const auto &work, ExitStatus status) {
        CHECK_THROWS(work(), Error,
                     [&](const Error &error) { CHECK_EQUAL(error.status(), status); });
    };
    refused([&] { return run.submit(ControlVerb::Stop, {}, "x"); }, ExitStatus::NoInput);
    refused([&] { return run.submit(ControlVerb::Timeout, "x"); }, ExitStatus::NoInput);
    refused([&] { show_control(run.get(), 7); }, ExitStatus::NoInput);
    end_phase(run.get(), "r", "a", "COMPLETE", "", run.clock);
    refused([&] { return run.submit(ControlVerb::Timeout, "a"); }, ExitStatus::BadData);
    abort_run(run.get(), "r", "", run.clock);
    refused([&] { return run.submit(ControlVerb::Pause); }, ExitStatus::BadData);
    CHECK_EQUAL(run.controls(), "");
}

void lines_of_the_fifo_are_requests()
{
    Fixture run;
    run.line("wake");
    CHECK_EQUAL(run.controls(), "");
    run.line("stop");
    run.line("  timeout \t a ");
    run.line("pause");
    CHECK_EQUAL(run.controls(), "r:stop r:timeout/a r:pause");
    CHECK_EQUAL(run.get().query_text("SELECT group_concat(DISTINCT source) "
                                     "FROM controls"),
                "fifo");
}

void nonsense_in_the_fifo_is_refused()
{
    Fixture run;
    for (const char *text : {"", "halt", "stop now", "timeout", "timeout a b",
                             "timeout ../a", "STOP", "wake up", "\x01"}) {
        CHECK_THROWS(run.line(text), Error, [](const Error &error) {
            CHECK_EQUAL(error.status(), ExitStatus::BadData);
        });
    }
    CHECK_EQUAL(run.controls(), "");
}

void the_three_files_are_known()
{
    for (const char *name : {stop_file, abort_file, timeout_file}) {
        CHECK(ControlFiles::is_control_file(name));
    }
    CHECK(!ControlFiles::is_control_file(".stop_executor.rejected"));
    CHECK(!ControlFiles::is_control_file("r"));
}

void without_files_nothing_is_taken()
{
    Fixture run;
    CHECK(!run.files.take());
    run.write(stop_file, "");
    CHECK(!run.files.take());
}

void each_file_takes_its_verb()
{
    Fixture run;
    run.write(stop_file, "stop:r\n");
    run.write(abort_file, "abort:r");
    run.write(timeout_file, " timeout : a \n");
    CHECK(run.files.take());
    CHECK_EQUAL(run.controls(), "r:stop r:abort r:timeout/a");
    CHECK(!run.files.take());
    for (const char *name : {stop_file, abort_file, timeout_file}) {
        CHECK_EQUAL(run.read(name), "");
        CHECK(!path_exists(run.path(std::string(name) + ".rejected")));
    }
}

void a_verb_of_another_file_is_nonsense()
{
    Fixture run;
    run.write(stop_file, "abort:r\n");
    CHECK(!run.files.take());
    CHECK_EQUAL(run.controls(), "");
    CHECK(run.read(".stop_executor.rejected").ends_with("\tabort:r\n"));
}

void lines_for_other_runs_stay_byte_for_byte()
{
    Fixture run;
    run.write(stop_file, "stop:s\n# a note\n\n stop:r\nstop:s  \n");
    CHECK(run.files.take());
    CHECK_EQUAL(run.controls(), "r:stop");
    CHECK_EQUAL(run.read(stop_file), "stop:s\n# a note\n\nstop:s  \n");
}

void a_file_for_other_runs_alone_is_not_touched()
{
    Fixture run;
    run.write(stop_file, "stop:s");
    struct stat before = {};
    CHECK_EQUAL(stat(run.path(stop_file).c_str(), &before), 0);
    CHECK(!run.files.take());
    struct stat after = {};
    CHECK_EQUAL(stat(run.path(stop_file).c_str(), &after), 0);
    CHECK_EQUAL(after.st_ino, before.st_ino);
    CHECK_EQUAL(run.read(stop_file), "stop:s");
}

void nonsense_is_moved_aside_with_time_and_reason()
{
    Fixture run;
    run.write(stop_file, "stop:nowhere\nstop:\nrubbish\nstop:r\n");
    CHECK(run.files.take());
    CHECK_EQUAL(run.controls(), "r:stop");
    const std::string at = format_rfc3339(run.clock.now());
    CHECK_EQUAL(run.read(".stop_executor.rejected"),
                at + "\tno run 'nowhere'\tstop:nowhere\n" + at +
                    "\texpected stop:RUN\tstop:\n" + at +
                    "\texpected stop:RUN\trubbish\n");
    CHECK_EQUAL(run.get().query_integer(
                    "SELECT count(*) FROM events WHERE kind = 'control.rejected'"),
                3);
}

void a_request_that_cannot_be_is_moved_aside_too()
{
    Fixture run;
    end_phase(run.get(), "r", "a", "COMPLETE", "", run.clock);
    run.write(timeout_file, "timeout:r/a\ntimeout:r/b\n");
    CHECK(run.files.take());
    CHECK_EQUAL(run.controls(), "r:timeout/b");
    CHECK(run.read(".force_timeout.rejected").find("has ended (COMPLETE)") !=
          std::string::npos);
}

void a_timeout_without_a_run_is_for_who_executes_the_phase()
{
    Fixture run;
    run.execute("s", "a");
    run.write(timeout_file, "timeout:a\n");
    CHECK(!run.files.take());
    CHECK_EQUAL(run.read(timeout_file), "timeout:a\n");
    run.execute("r", "a");
    CHECK(run.files.take());
    CHECK_EQUAL(run.controls(), "r:timeout/a");
}

void a_timeout_of_a_queued_phase_is_kept_for_it()
{
    Fixture run;
    run.write(timeout_file, "timeout:b\n");
    CHECK(run.files.take());
    CHECK_EQUAL(run.controls(), "r:timeout/b");
}

void a_timeout_of_no_phase_is_nonsense()
{
    Fixture run;
    run.write(timeout_file, "timeout:nothing\n");
    CHECK(!run.files.take());
    CHECK(run.read(".force_timeout.rejected").find("no phase 'nothing'") !=
          std::string::npos);
}

void what_is_no_file_is_moved_aside_whole()
{
    Fixture run;
    CHECK_EQUAL(mkdir(run.path(stop_file).c_str(), 0700), 0);
    CHECK_EQUAL(symlink("/etc/passwd", run.path(abort_file).c_str()), 0);
    CHECK_EQUAL(mkfifo(run.path(timeout_file).c_str(), 0600), 0);
    CHECK(!run.files.take());
    for (const char *name : {stop_file, abort_file, timeout_file}) {
        struct stat status = {};
        CHECK(lstat(run.path(name).c_str(), &status) != 0);
        CHECK_EQUAL(lstat(run.path(std::string(name) + ".rejected").c_str(), &status), 0);
    }
}

void a_file_too_large_is_moved_aside_whole()
{
    Fixture run;
    run.write(stop_file, "stop:r\n" + std::string(70'000, '#'));
    CHECK(!run.files.take());
    CHECK_EQUAL(run.controls(), "");
    CHECK_EQUAL(run.read(".stop_executor.rejected").size(), 70'007u);
    run.write(stop_file, "stop:r\n");
    CHECK(run.files.take());
}

// A process was killed after it had moved the file out of the way.
void a_file_that_a_dead_process_had_taken_is_taken_up()
{
    Fixture run;
    run.write(".stop_executor.taken.12345", "stop:r\nstop:s\n");
    CHECK(run.files.take());
    CHECK_EQUAL(run.controls(), "r:stop");
    CHECK_EQUAL(run.read(stop_file), "stop:s\n");
    CHECK(!path_exists(run.path(".stop_executor.taken.12345")));
}

void waking_is_seen_in_the_runs_directory()
{
    Fixture run;
    const StatePaths &paths = run.state().paths();
    wake_executors(paths, "r"); // without the directory: no complaint, no file
    CHECK(!path_exists(paths.run_directory("r")));
    make_directories(paths.run_directory("r"));
    DirectoryWatch watch(paths.run_directory("r"));
    wake_executors(paths, "r");
    const std::vector<std::string> names = watch.changed();
    CHECK(std::find(names.begin(), names.end(), ".wake") != names.end());
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(every_verb_has_a_name),
        TEST(a_stop_waits_for_an_executor),
        TEST(a_stop_does_not_soften_an_abort),
        TEST(an_abort_replaces_a_stop),
        TEST(pause_and_resume_are_applied_at_once),
        TEST(a_request_is_applied_once_and_logged),
        TEST(requests_of_what_is_not_open_are_refused_and_leave_no_trace),
        TEST(lines_of_the_fifo_are_requests),
        TEST(nonsense_in_the_fifo_is_refused),
        TEST(the_three_files_are_known),
        TEST(without_files_nothing_is_taken),
        TEST(each_file_takes_its_verb),
        TEST(a_verb_of_another_file_is_nonsense),
        TEST(lines_for_other_runs_stay_byte_for_byte),
        TEST(a_file_for_other_runs_alone_is_not_touched),
        TEST(nonsense_is_moved_aside_with_time_and_reason),
        TEST(a_request_that_cannot_be_is_moved_aside_too),
        TEST(a_timeout_without_a_run_is_for_who_executes_the_phase),
        TEST(a_timeout_of_a_queued_phase_is_kept_for_it),
        TEST(a_timeout_of_no_phase_is_nonsense),
        TEST(what_is_no_file_is_moved_aside_whole),
        TEST(a_file_too_large_is_moved_aside_whole),
        TEST(a_file_that_a_dead_process_had_taken_is_taken_up),
        TEST(waking_is_seen_in_the_runs_directory),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
