#include "check.hh"
#include "support.hh"

#include "domain/health.hh"

using namespace ap;

namespace {

class Fixture
{
public:
    Fixture()
        : state(check::paths_in(directory_), State::Access::Create, "test")
    {
    }

    Health health() { return read_health(state, server, clock); }

    // Entries of processes that are dead.
    void leak(int64_t count)
    {
        state.database()
            .prepare("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                     "WHERE i < ?1) INSERT INTO connections (pid, pid_started, boot_id, "
                     "tool, opened_at, last_seen) SELECT 1, 1, 'dead', 'x', 0, 0 FROM n")
            .bind_all(count)
            .run();
    }

private:
    check::TemporaryDirectory directory_;

public:
    State state;
    ServerHealth server;
    check::ManualClock clock;
};

void a_new_database_is_healthy()
{
    Fixture fixture;
    Health health = fixture.health();
    health.disk = {1LL << 40, 1LL << 40}; // whatever this machine has
    CHECK_EQUAL(health.status(), "healthy");
    CHECK_EQUAL(health.pool.checked_out, 1);
    CHECK_EQUAL(health.pool.potential_leaks, 0);
}

void a_pool_that_is_80_percent_taken_is_unhealthy()
{
    Fixture fixture;
    fixture.leak(78);
    CHECK(fixture.health().pool.is_healthy());
    fixture.leak(1);
    CHECK_EQUAL(fixture.health().pool.potential_leaks, 79);
    CHECK_EQUAL(fixture.health().status(), "unhealthy");
}

void faults_of_the_last_check_are_unhealthy()
{
    Fixture fixture;
    fixture.state.database().execute(
        "UPDATE database_info SET checked_at = 1, check_findings = 2");
    CHECK_EQUAL(fixture.health().status(), "unhealthy");
}

void an_open_breaker_degrades()
{
    Fixture fixture;
    Breakers(fixture.state.database(), fixture.clock).force_open("api", "test");
    Health health = fixture.health();
    health.disk = {1LL << 40, 1LL << 40};
    CHECK_EQUAL(health.status(), "degraded");
    CHECK_EQUAL(health.reasons().size(), 1u);
}

void more_server_errors_than_the_threshold_degrade()
{
    Fixture fixture;
    fixture.server.server_errors = server_error_threshold;
    Health health = fixture.health();
    health.disk = {1LL << 40, 1LL << 40};
    CHECK_EQUAL(health.status(), "healthy");
    health.server.server_errors = server_error_threshold + 1;
    CHECK_EQUAL(health.status(), "degraded");
}

void little_free_space_degrades()
{
    Fixture fixture;
    Health health = fixture.health();
    health.disk = {(1LL << 40) / 25, 1LL << 40};
    CHECK_EQUAL(health.status(), "degraded");
    CHECK(!DiskHealth({(1LL << 40) / 10, 1LL << 40}).is_low());
    CHECK(DiskHealth({200LL << 20, 1LL << 30}).is_low());
}

void the_json_has_what_monitors_ask_for_and_no_path()
{
    Fixture fixture;
    fixture.server.bind_address = "127.0.0.1";
    const Json json = health_to_json(fixture.health());
    for (const char *name :
         {"status", "version", "timestamp", "bind_address", "database", "db_pool_health",
          "circuit_breakers", "executors", "gateway", "rate_limiter"}) {
        CHECK(json.get(name));
    }
    CHECK(json.dump().find(fixture.state.paths().directory) == std::string::npos);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_new_database_is_healthy),
        TEST(a_pool_that_is_80_percent_taken_is_unhealthy),
        TEST(faults_of_the_last_check_are_unhealthy),
        TEST(an_open_breaker_degrades),
        TEST(more_server_errors_than_the_threshold_degrade),
        TEST(little_free_space_degrades),
        TEST(the_json_has_what_monitors_ask_for_and_no_path),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
