#include "domain/slurm_phase.hh"

#include "check.hh"
#include "leased.hh"

#include "domain/batch_job.hh"

#include <functional>
#include <sys/stat.h>

using namespace ap;
using namespace std::chrono_literals;

namespace {

// Slurm's tools as scripts: each notes its arguments in `TOOL.calls` and does what is in
// TOOL.answer, one file, so that an answer is never half another.
class FakeSlurm
{
public:
    FakeSlurm()
    {
        for (const std::string tool : {"sbatch", "squeue", "scancel"}) {
            const std::string file = directory_.file(tool);
            replace_file(file, "#!/bin/sh\necho \"" + tool + " $*\" >>" + file +
                                   ".calls\n. " + file + ".answer\n");
            CHECK_EQUAL(chmod(file.c_str(), 0755), 0);
            answers(tool, "");
        }
        setenv("PATH", (directory_.path() + ":/usr/bin:/bin").c_str(), 1);
    }

    void answers(const std::string &tool, const std::string &output,
                 const std::string &error = "", int status = 0)
    {
        replace_file(directory_.file(tool + ".answer"),
                     "printf %s '" + output + "'\nprintf %s '" + error + "' >&2\nexit " +
                         std::to_string(status) + "\n");
    }
    std::string calls(const std::string &tool) const
    {
        const std::string file = directory_.file(tool + ".calls");
        return path_exists(file) ? read_file(file, 1 << 20) : std::string();
    }

private:
    check::TemporaryDirectory directory_;
};

class Fixture
{
public:
    Fixture()
        : launcher_(run.paths(), loop_, run.clock(), config_)
        , lease(run.lease())
        , name(batch_job_name(lease))
        , directory(launcher_.directory_of(lease))
    {
    }

    void start() { phase = launcher_.start(lease); }
    void attach(std::optional<std::string> job_id)
    {
        make_directories(directory, 0700);
        phase = launcher_.attach({lease, name, std::move(job_id), 0});
    }
    void squeue_says(const std::string &state, const std::string &reason = "None")
    {
        slurm.answers("squeue", "12|" + state + "|" + name + "|" + reason + "\n");
    }
    void job_begins()
    {
        CHECK(claim_job(directory, {JobState::Stage::Running, "12", "node1", {}}));
    }
    void job_ends(AttemptStatus status, const std::string &reason)
    {
        JobState state = {JobState::Stage::Ended, "12", "node1", {}};
        state.outcome.status = status;
        state.outcome.reason = reason;
        state.outcome.cpu_ms = 77;
        write_job_state(directory, state);
    }

    // Time goes on, fast, until it is so.
    void until(const std::function<bool()> &is_so)
    {
        for (int i = 0; !is_so(); i++) {
            CHECK(i < 1000);
            run.clock().advance(100ms);
            phase->check_time();
            for (std::string &note : phase->take_notes()) {
                notes += note + "\n";
            }
            loop_.run_once(5ms);
        }
    }
    void until_ended()
    {
        until([this] { return phase->ended(); });
    }
    void until_noted(std::string_view note)
    {
        until([&] { return notes.find(note) != std::string::npos; });
    }
    bool ended_as(AttemptStatus status, std::string_view reason)
    {
        return phase->outcome().status == status &&
               phase->outcome().reason.find(reason) != std::string::npos;
    }

    FakeSlurm slurm;
    check::LeasedRun run;

private:
    PollLoop loop_;
    Config config_;
    SlurmLauncher launcher_;

public:
    Lease lease;
    std::string name;
    std::string directory;
    std::string notes;
    std::unique_ptr<LaunchedPhase> phase;
};

void takes_how_it_ended_and_what_it_used_from_the_job()
{
    Fixture fixture;
    fixture.slurm.answers("sbatch", "12\n");
    fixture.start();
    fixture.until_noted("submitted as Slurm job 12");
    fixture.job_begins();
    fixture.until_noted("executes on node1");
    append_to_spool(usage_files(fixture.directory).spool, "{\"prompt_tokens\": 5}\n");
    fixture.job_ends(AttemptStatus::Failed, "exit status 3");
    fixture.until_ended();
    CHECK(fixture.ended_as(AttemptStatus::Failed, "exit status 3"));
    CHECK_EQUAL(fixture.phase->outcome().cpu_ms, 77);
    const auto reports = fixture.phase->usage().take_reports();
    CHECK_EQUAL(reports.size(), 1U);
    CHECK_EQUAL(reports[0].usage.prompt_tokens, 5);
}

void the_order_is_private_and_gone_at_the_end()
{
    Fixture fixture;
    fixture.slurm.answers("sbatch", "12\n");
    fixture.start();
    struct stat status = {};
    const std::string order = join_path(fixture.directory, "job.secret");
    CHECK_EQUAL(stat(order.c_str(), &status), 0);
    CHECK_EQUAL(status.st_mode & 0777, 0600U);
    fixture.job_begins();
    fixture.job_ends(AttemptStatus::Succeeded, "");
    fixture.until_ended();
    CHECK(!path_exists(order));
}

void the_id_is_recorded_once()
{
    Fixture fixture;
    announce_batch_job(fixture.run.get(), fixture.lease);
    fixture.slurm.answers("sbatch", "12\n");
    fixture.start();
    fixture.until([&] { return fixture.phase->has_something_to_record(); });
    fixture.phase->record(fixture.run.get());
    CHECK(!fixture.phase->has_something_to_record());
    CHECK_EQUAL(fixture.run.get().query_text("SELECT job_id FROM batch_jobs"), "12");
}

void tells_what_it_waits_for()
{
    Fixture fixture;
    fixture.slurm.answers("sbatch", "12\n");
    fixture.squeue_says("PENDING", "Resources");
    fixture.start();
    fixture.until_noted("Slurm job 12 waits: Resources");
}

void what_slurm_refuses_fails_with_its_words()
{
    Fixture fixture;
    fixture.slurm.answers("sbatch", "", "sbatch: error: invalid partition\n", 1);
    fixture.start();
    fixture.until_ended();
    CHECK(fixture.ended_as(AttemptStatus::Failed, "invalid partition"));
}

void a_controller_that_is_away_is_tried_again()
{
    Fixture fixture;
    fixture.slurm.answers("sbatch", "",
                          "sbatch: error: Unable to contact slurm controller\n", 1);
    fixture.start();
    fixture.until([&] {
        return std::string_view(fixture.slurm.calls("sbatch")).find("\nsbatch") !=
               std::string_view::npos;
    });
    fixture.slurm.answers("sbatch", "12\n");
    fixture.until_noted("submitted as Slurm job 12");
}

void a_job_without_a_known_id_is_found_by_its_name()
{
    Fixture fixture;
    fixture.squeue_says("RUNNING");
    fixture.attach(std::nullopt);
    fixture.until_noted("is Slurm job 12");
    CHECK_EQUAL(fixture.slurm.calls("sbatch"), "");
    CHECK(!fixture.phase->ended());
}

void an_attempt_that_was_never_submitted_is_given_up()
{
    Fixture fixture;
    fixture.attach(std::nullopt);
    fixture.until_ended();
    CHECK(fixture.ended_as(AttemptStatus::Interrupted, "had not begun"));
    CHECK(!claim_job(fixture.directory, {JobState::Stage::Running, "13", "n", {}}));
}

void the_waiting_job_of_an_attempt_given_up_is_cancelled()
{
    Fixture fixture;
    make_directories(fixture.directory, 0700);
    CHECK(claim_job(fixture.directory, {JobState::Stage::GivenUp, {}, {}, {}}));
    fixture.squeue_says("PENDING", "Resources");
    fixture.attach("12");
    fixture.until_ended();
    CHECK_EQUAL(fixture.slurm.calls("scancel"), "scancel 12\n");
    CHECK(fixture.ended_as(AttemptStatus::Interrupted, "given up"));
}

void a_job_that_ended_meanwhile_is_taken_although_slurm_forgot_it()
{
    Fixture fixture;
    make_directories(fixture.directory, 0700);
    fixture.job_begins();
    fixture.job_ends(AttemptStatus::Succeeded, "");
    fixture.attach("12");
    fixture.until_ended();
    CHECK(fixture.ended_as(AttemptStatus::Succeeded, ""));
}

void a_lost_node_interrupts_the_attempt()
{
    Fixture fixture;
    fixture.slurm.answers("sbatch", "12\n");
    fixture.squeue_says("RUNNING");
    fixture.start();
    fixture.job_begins();
    fixture.until_noted("executes on");
    fixture.squeue_says("NODE_FAIL", "NodeDown");
    fixture.until_ended();
    CHECK(fixture.ended_as(AttemptStatus::Interrupted, "lost its node (NodeDown)"));
}

void what_slurm_ended_is_explained_by_slurm()
{
    Fixture fixture;
    fixture.slurm.answers("sbatch", "12\n");
    fixture.squeue_says("RUNNING");
    fixture.start();
    fixture.job_begins();
    fixture.job_ends(AttemptStatus::Interrupted, "ended from outside");
    fixture.squeue_says("TIMEOUT", "TimeLimit");
    fixture.until_ended();
    CHECK(fixture.ended_as(AttemptStatus::TimedOut, "time limit"));
}

void a_command_hit_by_slurms_signal_has_not_failed_by_itself()
{
    Fixture fixture;
    fixture.slurm.answers("sbatch", "12\n");
    fixture.squeue_says("PREEMPTED");
    fixture.start();
    fixture.job_begins();
    JobState state = {JobState::Stage::Ended, "12", "node1", {}};
    state.outcome.reason = "killed by signal 15 (SIGTERM)";
    state.outcome.signal = 15;
    write_job_state(fixture.directory, state);
    fixture.until_ended();
    CHECK(fixture.ended_as(AttemptStatus::Interrupted, "was preempted"));
}

void a_job_that_could_not_begin_fails()
{
    Fixture fixture;
    fixture.slurm.answers("sbatch", "12\n");
    fixture.squeue_says("FAILED", "NonZeroExitCode");
    fixture.start();
    fixture.until_ended();
    CHECK(fixture.ended_as(AttemptStatus::Failed, "see job.log"));
}

void ending_it_sends_term_and_waits_for_its_end()
{
    Fixture fixture;
    fixture.slurm.answers("sbatch", "12\n");
    fixture.squeue_says("RUNNING");
    fixture.start();
    fixture.until_noted("submitted");
    fixture.job_begins();
    fixture.until_noted("executes on");
    fixture.phase->end(AttemptStatus::BudgetExhausted, "spent", false);
    fixture.until([&] { return !fixture.slurm.calls("scancel").empty(); });
    CHECK_EQUAL(fixture.slurm.calls("scancel"), "scancel --batch --signal=TERM 12\n");
    CHECK(!fixture.phase->ended());
    fixture.job_ends(AttemptStatus::Interrupted, "ended from outside");
    fixture.until_ended();
    CHECK(fixture.ended_as(AttemptStatus::BudgetExhausted, "spent"));
}

void a_job_that_does_not_end_is_cancelled_whole()
{
    Fixture fixture;
    fixture.slurm.answers("sbatch", "12\n");
    fixture.squeue_says("RUNNING");
    fixture.start();
    fixture.until_noted("submitted");
    fixture.job_begins();
    fixture.phase->end(AttemptStatus::Aborted, "enough", true);
    fixture.until(
        [&] { return fixture.slurm.calls("scancel").ends_with("cancel 12\n"); });
    CHECK(
        fixture.slurm.calls("scancel").starts_with("scancel --batch --signal=INT 12\n"));
    fixture.squeue_says("CANCELLED");
    fixture.until_ended();
    CHECK(fixture.ended_as(AttemptStatus::Aborted, "enough"));
}

void a_waiting_job_is_cancelled_and_can_never_begin()
{
    Fixture fixture;
    fixture.slurm.answers("sbatch", "12\n");
    fixture.squeue_says("PENDING", "Resources");
    fixture.start();
    fixture.until_noted("submitted");
    fixture.phase->end(AttemptStatus::Aborted, "enough", true);
    CHECK(!claim_job(fixture.directory, {JobState::Stage::Running, "12", "n", {}}));
    fixture.until_ended();
    CHECK_EQUAL(fixture.slurm.calls("scancel"), "scancel 12\n");
    CHECK(fixture.ended_as(AttemptStatus::Aborted, "enough"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(takes_how_it_ended_and_what_it_used_from_the_job),
        TEST(the_order_is_private_and_gone_at_the_end),
        TEST(the_id_is_recorded_once),
        TEST(tells_what_it_waits_for),
        TEST(what_slurm_refuses_fails_with_its_words),
        TEST(a_controller_that_is_away_is_tried_again),
        TEST(a_job_without_a_known_id_is_found_by_its_name),
        TEST(an_attempt_that_was_never_submitted_is_given_up),
        TEST(the_waiting_job_of_an_attempt_given_up_is_cancelled),
        TEST(a_job_that_ended_meanwhile_is_taken_although_slurm_forgot_it),
        TEST(a_lost_node_interrupts_the_attempt),
        TEST(what_slurm_ended_is_explained_by_slurm),
        TEST(a_command_hit_by_slurms_signal_has_not_failed_by_itself),
        TEST(a_job_that_could_not_begin_fails),
        TEST(ending_it_sends_term_and_waits_for_its_end),
        TEST(a_job_that_does_not_end_is_cancelled_whole),
        TEST(a_waiting_job_is_cancelled_and_can_never_begin),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
