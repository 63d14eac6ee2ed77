#include "check.hh"
#include "leased.hh"

#include "domain/attempt_usage.hh"
#include "domain/job_files.hh"
#include "domain/job_runner.hh"
#include "sys/process.hh"

#include <cstdlib>

using namespace ap;

namespace {

// An attempt of a phase, prepared for a job.
class Fixture : public check::LeasedRun
{
public:
    explicit Fixture(const std::string &command, const std::string &members = "")
        : order_({lease(),
                  paths(),
                  1 << 20,
                  {"PATH=/usr/bin:/bin", "FROM=executor"},
                  ProcessIdentity::self().boot_id})
        , directory(paths().attempt_directory("r", "a", 1))
    {
        order_.lease.phase = phase_spec_from_json(R"({"id": "a", "command": ")" +
                                                  command + "\"" + members + "}");
        make_directories(directory);
        write_job_order(order_);
    }

    // The job takes the executor's environment; ours is wanted again.
    ExitStatus run()
    {
        const char *format = std::getenv("CMOCKA_MESSAGE_OUTPUT");
        const std::string kept = format == nullptr ? "STDOUT" : format;
        const ExitStatus status = run_job(directory, SystemClock());
        setenv("CMOCKA_MESSAGE_OUTPUT", kept.c_str(), 1);
        return status;
    }
    std::string content(const std::string &name) const
    {
        return read_file(join_path(directory, name), 1 << 20);
    }

private:
    JobOrder order_;

public:
    std::string directory;
};

void executes_the_attempt_and_writes_down_how_it_ended()
{
    Fixture job("echo $FROM; exit 3");
    CHECK_EQUAL(job.run(), ExitStatus::Failed);
    const JobState state = *read_job_state(job.directory);
    CHECK_EQUAL(state.stage, JobState::Stage::Ended);
    CHECK(state.outcome.status == AttemptStatus::Failed);
    CHECK_EQUAL(state.outcome.exit_code.value_or(0), 3);
    CHECK_EQUAL(job.content("stdout"), "executor\n");
    CHECK(!path_exists(join_path(job.directory, "job.secret")));
}

void runs_the_checks()
{
    Fixture job("true", R"(, "check": "echo checked")");
    CHECK_EQUAL(job.run(), ExitStatus::Done);
    CHECK_EQUAL(job.content("check-1.stdout"), "checked\n");
}

void leaves_reports_of_the_fifo_and_of_the_output_in_the_spool()
{
    Fixture job(R"(echo '{\"prompt_tokens\": 1}' > $AUTOPACK_USAGE_FIFO; )"
                R"(echo '{\"usage\": {\"prompt_tokens\": 2}}')",
                R"(, "agent": "custom")");
    CHECK_EQUAL(job.run(), ExitStatus::Done);
    const std::string spool = job.content("usage.spool");
    CHECK(spool.find("{\"prompt_tokens\": 1}\n") != std::string::npos);
    CHECK(spool.find("\"prompt_tokens\":2") != std::string::npos);
}

void an_attempt_given_up_is_not_executed()
{
    Fixture job("echo executed");
    claim_job(job.directory, {JobState::Stage::GivenUp, {}, {}, {}});
    CHECK_THROWS(job.run(), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::TryAgain);
    });
    CHECK(!path_exists(join_path(job.directory, "stdout")));
}

void what_slurm_sets_goes_before_the_executors_environment()
{
    Fixture job("echo $SLURM_JOB_ID $OTHER");
    setenv("SLURM_JOB_ID", "12", 1);
    setenv("OTHER", "of the node", 1);
    CHECK_EQUAL(job.run(), ExitStatus::Done);
    CHECK_EQUAL(job.content("stdout"), "12\n");
    const JobState state = *read_job_state(job.directory);
    CHECK_EQUAL(state.job_id, "12");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(executes_the_attempt_and_writes_down_how_it_ended),
        TEST(runs_the_checks),
        TEST(leaves_reports_of_the_fifo_and_of_the_output_in_the_spool),
        TEST(an_attempt_given_up_is_not_executed),
        TEST(what_slurm_sets_goes_before_the_executors_environment),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
