#include "check.hh"
#include "leased.hh"

#include "domain/batch_job.hh"
#include "domain/integrity.hh"

using namespace ap;

namespace {

// A job of an executor that is known for dead, and a living executor, number 99.
class Fixture : public check::LeasedRun
{
public:
    Fixture()
        : lease_(lease())
    {
        announce_batch_job(get(), lease_);
        get().execute("UPDATE executors SET ended_at = 1, outcome = 'died'");
        get().execute("INSERT INTO executors (executor_id, run_id, pid, pid_started, "
                      "boot_id, jobs, started_at) VALUES (99, 'r', 1, 1, 'b', 1, 0)");
    }

    const Lease &of_job() const { return lease_; }

private:
    Lease lease_;
};

void the_job_of_a_dead_executor_is_adopted_once()
{
    Fixture run;
    record_batch_job(run.get(), run.of_job(), "12");
    const auto jobs = adopt_batch_jobs(run.get(), "r", 99);
    CHECK_EQUAL(jobs.size(), 1U);
    CHECK_EQUAL(jobs[0].lease.token, run.of_job().token);
    CHECK_EQUAL(jobs[0].lease.phase.id, "a");
    CHECK_EQUAL(jobs[0].name, batch_job_name(run.of_job()));
    CHECK_EQUAL(jobs[0].job_id.value_or("none"), "12");
    CHECK(adopt_batch_jobs(run.get(), "r", 99).empty());
}

void a_job_whose_submission_is_not_known_is_adopted_without_an_id()
{
    Fixture run;
    const auto jobs = adopt_batch_jobs(run.get(), "r", 99);
    CHECK_EQUAL(jobs.size(), 1U);
    CHECK(!jobs[0].job_id.has_value());
}

void attempts_on_the_dead_machine_are_not_adopted()
{
    Fixture run;
    run.get().execute("UPDATE executors SET ended_at = NULL WHERE executor_id = 1");
    run.lease();
    run.get().execute("UPDATE executors SET ended_at = 1 WHERE executor_id = 1");
    CHECK_EQUAL(adopt_batch_jobs(run.get(), "r", 99).size(), 1U);
}

void a_run_has_open_jobs_until_their_attempts_end()
{
    Fixture run;
    CHECK(has_open_batch_jobs(run.get(), "r"));
    run.finish(run.of_job(), AttemptStatus::Succeeded);
    CHECK(!has_open_batch_jobs(run.get(), "r"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(the_job_of_a_dead_executor_is_adopted_once),
        TEST(a_job_whose_submission_is_not_known_is_adopted_without_an_id),
        TEST(attempts_on_the_dead_machine_are_not_adopted),
        TEST(a_run_has_open_jobs_until_their_attempts_end),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
