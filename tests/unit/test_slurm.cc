#include "check.hh"

#include "domain/slurm.hh"

#include <algorithm>
#include <cstdlib>

using namespace ap;
using namespace std::chrono_literals;

namespace {

BatchJob a_job()
{
    BatchJob job;
    job.lease.run_id = "r";
    job.lease.phase.id = "a";
    job.lease.number = 2;
    job.lease.token = "0123456789abcdef0123";
    job.name = batch_job_name(job.lease);
    return job;
}

bool has(const std::vector<std::string> &call, std::string_view word)
{
    return std::find(call.begin(), call.end(), word) != call.end();
}

void a_job_is_named_after_its_attempt_and_lease()
{
    BatchJob job = a_job();
    CHECK_EQUAL(job.name, "autopack:r/a/2/0123456789abcdef");
    job.lease.run_id = std::string(128, 'r');
    job.lease.phase.id = std::string(128, 'p');
    CHECK(batch_job_name(job.lease).size() <= 255);
    CHECK(batch_job_name(job.lease).ends_with("/2/0123456789abcdef"));
}

void submits_one_task_that_slurm_never_starts_again()
{
    const auto call = sbatch_call(a_job(), "/runs/a", "/usr/bin");
    CHECK_EQUAL(call.front(), "sbatch");
    CHECK(has(call, "--parsable"));
    CHECK(has(call, "--no-requeue"));
    CHECK(has(call, "--job-name=autopack:r/a/2/0123456789abcdef"));
    CHECK(has(call, "--output=/runs/a/job.log"));
    CHECK_EQUAL(call.back(), "--wrap=exec '/usr/bin/ap-job' '/runs/a'");
}

void passes_on_what_the_plan_asks_for_and_nothing_else()
{
    BatchJob job = a_job();
    const auto words = sbatch_call(job, "/d", "/b").size();
    SlurmRequest &request = job.lease.phase.slurm;
    request.partition = "gpu";
    request.gres = "gpu:1";
    request.mem = "4G";
    request.cpus = 8;
    const auto call = sbatch_call(job, "/d", "/b");
    CHECK(has(call, "--partition=gpu"));
    CHECK(has(call, "--gres=gpu:1"));
    CHECK(has(call, "--mem=4G"));
    CHECK(has(call, "--cpus-per-task=8"));
    CHECK_EQUAL(call.size(), words + 4);
}

void the_time_limit_lies_beyond_the_phases_own()
{
    BatchJob job = a_job();
    job.lease.phase.timeout = 90s;
    job.lease.phase.grace = 5s;
    CHECK(has(sbatch_call(job, "/d", "/b"), "--time=3"));
    job.lease.phase.timeout = 1h;
    CHECK(has(sbatch_call(job, "/d", "/b"), "--time=62"));
}

void names_of_directories_are_not_taken_for_more()
{
    const auto call = sbatch_call(a_job(), "/it's %j", "/usr/bin");
    CHECK(has(call, "--output=/it's %%j/job.log"));
    CHECK_EQUAL(call.back(), "--wrap=exec '/usr/bin/ap-job' '/it'\\''s %j'");
}

void slurms_tools_get_no_secret_of_the_environment()
{
    setenv("ANTHROPIC_API_KEY", "secret", 1);
    setenv("SBATCH_ARRAY_INX", "1-9", 1);
    setenv("SLURM_CONF", "/etc/slurm.conf", 1);
    const auto environment = slurm_environment();
    CHECK(has(environment, "SLURM_CONF=/etc/slurm.conf"));
    CHECK(std::none_of(environment.begin(), environment.end(), [](const auto &entry) {
        return entry.starts_with("ANTHROPIC") || entry.starts_with("SBATCH_ARRAY");
    }));
}

void reads_the_id_of_a_submitted_job()
{
    CHECK_EQUAL(submitted_job("12\n").value_or("none"), "12");
    CHECK_EQUAL(submitted_job("12;cluster\n").value_or("none"), "12");
    CHECK(!submitted_job("").has_value());
    CHECK(!submitted_job("Submitted batch job 12\n").has_value());
}

void reads_the_listing_and_passes_over_foreign_jobs()
{
    const auto jobs = read_squeue("7|PENDING|autopack:r/a/1/ff|Resources\n"
                                  "8|RUNNING|other|None\n"
                                  "CLUSTER: one\n"
                                  "9|NODE_FAIL|autopack:r/b/1/ee|NodeDown\n");
    CHECK_EQUAL(jobs.size(), 2U);
    CHECK_EQUAL(jobs[0].id, "7");
    CHECK_EQUAL(jobs[0].reason, "Resources");
    CHECK(!is_over(jobs[0]));
    CHECK_EQUAL(jobs[1].name, "autopack:r/b/1/ee");
    CHECK(is_over(jobs[1]));
}

void each_end_of_a_job_has_its_outcome()
{
    const auto status = [](const char *state) {
        return verdict_of({"7", state, "autopack:x", "None"}).status;
    };
    CHECK(status("TIMEOUT") == AttemptStatus::TimedOut);
    CHECK(status("DEADLINE") == AttemptStatus::TimedOut);
    CHECK(status("OUT_OF_MEMORY") == AttemptStatus::Failed);
    CHECK(status("CANCELLED") == AttemptStatus::Failed);
    CHECK(status("NODE_FAIL") == AttemptStatus::Interrupted);
    CHECK(status("BOOT_FAIL") == AttemptStatus::Interrupted);
    CHECK(status("PREEMPTED") == AttemptStatus::Interrupted);
    CHECK(status("COMPLETED") == AttemptStatus::Interrupted);
    CHECK_EQUAL(verdict_of({"7", "NODE_FAIL", "autopack:x", "NodeDown"}).reason,
                "Slurm job 7 lost its node (NodeDown)");
}

void cancels_by_id_or_else_by_name()
{
    BatchJob job = a_job();
    CHECK(scancel_call(job, "") ==
          std::vector<std::string>({"scancel", "--name=" + job.name}));
    job.job_id = "12";
    CHECK(scancel_call(job, "TERM") ==
          std::vector<std::string>({"scancel", "--batch", "--signal=TERM", "12"}));
}

void tells_an_unreachable_controller_from_a_refusal()
{
    CHECK(is_unreachable("sbatch: error: Batch job submission failed: Unable to contact "
                         "slurm controller (connect failure)"));
    CHECK(!is_unreachable("sbatch: error: invalid partition specified: nope"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_job_is_named_after_its_attempt_and_lease),
        TEST(submits_one_task_that_slurm_never_starts_again),
        TEST(passes_on_what_the_plan_asks_for_and_nothing_else),
        TEST(the_time_limit_lies_beyond_the_phases_own),
        TEST(names_of_directories_are_not_taken_for_more),
        TEST(slurms_tools_get_no_secret_of_the_environment),
        TEST(reads_the_id_of_a_submitted_job),
        TEST(reads_the_listing_and_passes_over_foreign_jobs),
        TEST(each_end_of_a_job_has_its_outcome),
        TEST(cancels_by_id_or_else_by_name),
        TEST(tells_an_unreachable_controller_from_a_refusal),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
