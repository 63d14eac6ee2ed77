#include "check.hh"
#include "leased.hh"

#include "domain/job_files.hh"

using namespace ap;

namespace {

class Fixture : public check::LeasedRun
{
public:
    Fixture()
    {
        order.lease = lease();
        order.lease.gate = {"https://gate:4141", "apk-key", "/ca.pem"};
        order.paths = paths();
        order.output_limit = 4096;
        order.environment = {"A=1", "B=two words"};
        order.boot_id = "boot";
        directory = paths().attempt_directory("r", "a", 1);
        make_directories(directory);
    }

    JobOrder order;
    std::string directory;
};

void an_order_comes_out_as_it_went_in()
{
    Fixture fixture;
    write_job_order(fixture.order);
    const JobOrder read = read_job_order(fixture.directory);
    CHECK_EQUAL(read.lease.token, fixture.order.lease.token);
    CHECK_EQUAL(read.lease.attempt_id, fixture.order.lease.attempt_id);
    CHECK(read.lease.phase.command.argv == fixture.order.lease.phase.command.argv);
    CHECK_EQUAL(read.lease.gate->key, "apk-key");
    CHECK_EQUAL(read.lease.gate->ca_file, "/ca.pem");
    CHECK_EQUAL(read.paths.database, fixture.order.paths.database);
    CHECK_EQUAL(read.output_limit, 4096);
    CHECK(read.environment == fixture.order.environment);
    remove_job_order(fixture.directory);
    CHECK_THROWS(read_job_order(fixture.directory), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::NoInput);
    });
}

void an_attempt_is_claimed_once()
{
    Fixture fixture;
    CHECK(!read_job_state(fixture.directory).has_value());
    CHECK(claim_job(fixture.directory, {JobState::Stage::Running, "12", "node1", {}}));
    CHECK(!claim_job(fixture.directory, {JobState::Stage::GivenUp, {}, {}, {}}));
    const JobState state = *read_job_state(fixture.directory);
    CHECK_EQUAL(state.stage, JobState::Stage::Running);
    CHECK_EQUAL(state.job_id, "12");
}

void an_end_comes_out_as_it_went_in()
{
    Fixture fixture;
    JobState state = {JobState::Stage::Ended, "12", "node1", {}};
    state.outcome = {AttemptStatus::IdleTimedOut, "no output for 5m", {}, 9, 1, 2, 3};
    write_job_state(fixture.directory, state);
    const AttemptOutcome read = read_job_state(fixture.directory)->outcome;
    CHECK(read.status == AttemptStatus::IdleTimedOut);
    CHECK_EQUAL(read.reason, "no output for 5m");
    CHECK(!read.exit_code.has_value());
    CHECK_EQUAL(read.signal.value_or(0), 9);
    CHECK_EQUAL(read.duration_ms + read.cpu_ms + read.max_rss_kib, 6);
}

void what_is_no_state_is_refused_by_name()
{
    Fixture fixture;
    replace_file(join_path(fixture.directory, "job.json"), R"({"state": "lost"})");
    CHECK_THROWS(read_job_state(fixture.directory), Error, [](const Error &error) {
        CHECK(std::string_view(error.what()).find("job.json") != std::string_view::npos);
    });
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(an_order_comes_out_as_it_went_in),
        TEST(an_attempt_is_claimed_once),
        TEST(an_end_comes_out_as_it_went_in),
        TEST(what_is_no_state_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
