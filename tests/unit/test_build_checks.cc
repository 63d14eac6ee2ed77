#include "domain/build_checks.hh"

#include "check.hh"
#include "support.hh"

using namespace ap;

namespace {

struct Fixture
{
    check::TemporaryDirectory directory;
    BuildCheckOrder order;
    Fixture()
    {
        order.options.directory = directory.path();
        order.checks = {{"tests", {"sh", "tests"}}};
    }

    BuildChecks run(const std::string &text,
                    const std::optional<CheckBaseline> &baseline = {}) const
    {
        replace_file(directory.file("tests"), text);
        return run_build_checks(order, baseline);
    }
};

constexpr const char *one_fails = "echo ok 1 - adds; echo not ok 2 - subtracts; exit 1";

bool tells(const BuildChecks &checks, const std::string &words)
{
    return checks.text.find(words) != std::string::npos;
}

void a_test_that_failed_before_is_to_pass_unless_the_plan_accepts_it()
{
    Fixture fixture;
    const CheckBaseline before = fixture.run(one_fails).outcome;
    const BuildChecks refused = fixture.run(one_fails, before);
    CHECK(!refused.passed);
    CHECK_EQUAL(refused.check, "tests");
    CHECK_EQUAL(refused.reason,
                "check 'tests' exited with status 1: subtracts failed, as before the "
                "change; \"known_failures\": \"accept\" would allow that");
    CHECK(tells(refused, "subtracts failed before the change, too\n"));
    fixture.order.known = KnownFailures::Accept;
    const BuildChecks accepted = fixture.run(one_fails, before);
    CHECK(accepted.passed);
    CHECK_EQUAL(accepted.text, "check 'tests' fails only as before the change: it exited "
                               "with status 1\n"
                               "known to fail before the change, too: subtracts\n"
                               "1 passed, 1 failed, 0 skipped\n");
}

void a_new_failure_counts_whatever_the_plan_accepts()
{
    Fixture fixture;
    fixture.order.known = KnownFailures::Accept;
    const CheckBaseline before = fixture.run(one_fails).outcome;
    const BuildChecks checks = fixture.run(
        "echo not ok 1 - adds; echo '# 3 is not 2'; echo not ok 2 - subtracts; exit 1",
        before);
    CHECK(!checks.passed);
    CHECK_EQUAL(checks.reason, "check 'tests' exited with status 1: adds failed");
    CHECK(tells(checks, "adds failed\n"));
    CHECK(tells(checks, "3 is not 2"));
    CHECK(tells(checks, "known to fail before the change, too: subtracts\n"));
}

void a_check_that_fails_as_a_whole_must_pass_whatever_the_plan_accepts()
{
    Fixture fixture;
    fixture.order.known = KnownFailures::Accept;
    const std::string fails = "echo boom; exit 2";
    const CheckBaseline before = fixture.run(fails).outcome;
    const BuildChecks checks = fixture.run(fails, before);
    CHECK(!checks.passed);
    CHECK_EQUAL(checks.reason, "check 'tests' exited with status 2");
    CHECK_EQUAL(checks.text, "check 'tests' failed: it exited with status 2\n"
                             "it failed before the change, too\n"
                             "boom\n"
                             "0 passed, 1 failed, 0 skipped\n");
    CHECK(fixture.run("true", before).passed);
}

void what_is_mended_missing_or_flaky_is_told()
{
    Fixture fixture;
    fixture.order.options.retries = 1;
    const CheckBaseline before =
        fixture.run("echo not ok 1 - old; echo ok 2 - gone; exit 1").outcome;
    const BuildChecks checks =
        fixture.run("echo ok 1 - old; test -e again && exec echo ok 2 - shaky; : >again; "
                    "echo not ok 2 - shaky; exit 1",
                    before);
    CHECK(checks.passed);
    CHECK_EQUAL(checks.text, "check 'tests' passed\n"
                             "failed before the change, and do not now: old\n"
                             "failed, and passed when run again: shaky\n"
                             "were run before the change, and are not now: gone\n"
                             "2 passed, 0 failed, 0 skipped\n");
}

void the_same_failure_has_the_same_signature()
{
    Fixture fixture;
    const std::string first = fixture.run("echo not ok 1 - adds; exit 1").signature;
    CHECK_EQUAL(fixture.run("echo ok 1 - more; echo not ok 2 - adds; exit 1").signature,
                first);
    CHECK(fixture.run("echo not ok 1 - subtracts; exit 1").signature != first);
}

void a_report_that_cannot_be_read_is_a_failure_of_the_change()
{
    Fixture fixture;
    fixture.order.options.format = TestFormat::Junit;
    const BuildChecks checks =
        fixture.run("echo '<testsuite><testcase'", CheckBaseline());
    CHECK(!checks.passed);
    CHECK_EQUAL(checks.check, "tests");
    CHECK(checks.reason.starts_with("the checks cannot be understood: "));
}

void no_checks_pass_and_say_nothing()
{
    Fixture fixture;
    fixture.order.checks.clear();
    CHECK(run_build_checks(fixture.order, std::nullopt).passed);
    CHECK_EQUAL(run_build_checks(fixture.order, std::nullopt).text, "");
}

void is_read_back_from_a_file()
{
    const Fixture fixture;
    const BuildChecks checks = fixture.run(one_fails);
    const std::string text = build_checks_to_json(checks).dump_pretty();
    const BuildChecks again = build_checks_from_json(Json::parse(text, "t"), "t");
    CHECK(!again.passed);
    CHECK_EQUAL(build_checks_to_json(again).dump_pretty(), text);
}

void takes_time_and_retries_from_the_plan()
{
    const PhaseSpec phase =
        parse_plan(R"({"run_id": "r", "phases": [{"id": "a", "goal": "g",
            "check": ["make test", ["make", "lint"]], "timeout": "90s",
            "check_retries": 3, "known_failures": "accept"}]})",
                   "p")
            .tiers[0]
            .phases[0];
    const BuildCheckOrder order = build_check_order(phase, {"MY_KEY"});
    CHECK_EQUAL(order.checks[0].name, "make test");
    CHECK_EQUAL(order.checks[1].name, "make lint");
    CHECK_EQUAL(order.options.retries, 3);
    CHECK(order.options.timeout == std::chrono::seconds(90));
    CHECK(order.known == KnownFailures::Accept);
    CHECK_EQUAL(order.options.withheld.front(), "MY_KEY");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_test_that_failed_before_is_to_pass_unless_the_plan_accepts_it),
        TEST(a_new_failure_counts_whatever_the_plan_accepts),
        TEST(a_check_that_fails_as_a_whole_must_pass_whatever_the_plan_accepts),
        TEST(what_is_mended_missing_or_flaky_is_told),
        TEST(the_same_failure_has_the_same_signature),
        TEST(a_report_that_cannot_be_read_is_a_failure_of_the_change),
        TEST(no_checks_pass_and_say_nothing),
        TEST(is_read_back_from_a_file),
        TEST(takes_time_and_retries_from_the_plan),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
