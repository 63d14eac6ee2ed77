#include "domain/check_run.hh"

#include "check.hh"
#include "support.hh"

using namespace ap;

namespace {

struct Fixture
{
    check::TemporaryDirectory directory;
    CheckOptions options;
    Fixture() { options.directory = directory.path(); }
    CheckSummary run(const std::string &text,
                     const std::optional<CheckBaseline> &baseline = {}) const
    {
        return run_checks({{"check", {"sh", "-c", text}}}, options, baseline);
    }
};

std::string names(const std::vector<std::string> &list)
{
    std::string text;
    for (const std::string &name : list) {
        text += name + " ";
    }
    return text;
}

std::string new_names(const CheckSummary &summary)
{
    std::string text;
    for (const FailedTest &test : summary.new_failures) {
        text += test.name + " ";
    }
    return text;
}

void a_command_is_a_test_itself()
{
    const Fixture fixture;
    CHECK_EQUAL(fixture.run("true").passed, 1);
    const CheckSummary summary = fixture.run("echo reason; exit 3");
    CHECK_EQUAL(new_names(summary), "check ");
    CHECK_EQUAL(summary.new_failures[0].detail, "exited with status 3\nreason\n");
    CHECK_EQUAL(summary.status(), ExitStatus::Failed);
}

void tells_new_failures_from_those_of_the_baseline()
{
    const Fixture fixture;
    const CheckBaseline baseline{{"a", "b"}, {"c", "gone"}};
    const CheckSummary summary = fixture.run(
        "printf 'not ok 1 - a\\nok 2 - b\\nnot ok 3 - c\\n'; exit 1", baseline);
    CHECK_EQUAL(new_names(summary), "c ");
    CHECK_EQUAL(names(summary.known), "a ");
    CHECK_EQUAL(names(summary.fixed), "b ");
    CHECK_EQUAL(names(summary.missing), "gone ");
    CHECK_EQUAL(fixture.run("printf 'not ok 1 - a\\n'; exit 1", baseline).status(),
                ExitStatus::Done);
}

void what_passes_when_run_again_is_flaky()
{
    Fixture fixture;
    fixture.options.retries = 2;
    const CheckSummary summary =
        fixture.run("echo x >>n; [ $(wc -l <n) -lt 3 ] && { echo 'not ok 1 - a'; exit 1; "
                    "}; echo 'ok 1 - a'");
    CHECK_EQUAL(names(summary.flaky), "a ");
    CHECK_EQUAL(summary.status(), ExitStatus::Done);
    CHECK_EQUAL(summary.checks[0].runs, 3);
    CHECK_EQUAL(names(summary.outcome.passed), "a ");
}

void what_fails_each_time_is_not()
{
    Fixture fixture;
    fixture.options.retries = 2;
    const CheckSummary summary = fixture.run("echo 'not ok 1 - a'; exit 1");
    CHECK(summary.flaky.empty());
    CHECK_EQUAL(new_names(summary), "a ");
}

void a_test_of_several_checks_is_as_its_worst()
{
    Fixture fixture;
    fixture.options.retries = 1;
    const std::string flaky =
        "test -e n && exec echo 'ok 1 - a'; : >n; echo 'not ok 1 - a'";
    const std::string fails = "echo 'not ok 1 - a'";
    for (const bool fails_first : {true, false}) {
        const CheckSummary summary =
            run_checks({{"one", {"sh", "-c", fails_first ? fails : flaky}},
                        {"two", {"sh", "-c", fails_first ? flaky : fails}}},
                       fixture.options, {});
        CHECK_EQUAL(new_names(summary), "a ");
        CHECK_EQUAL(summary.new_failures[0].check, fails_first ? "one" : "two");
        CHECK_EQUAL(summary.failed, 1);
        remove_file(fixture.directory.file("n"));
    }
}

void a_failure_without_a_failed_test_is_the_checks()
{
    const Fixture fixture;
    CHECK_EQUAL(new_names(fixture.run("echo 'ok 1 - a'; echo boom; exit 2")), "check ");
    CHECK_EQUAL(new_names(fixture.run("echo 'ok 1 - a'; kill -9 $$")), "check ");
}

void a_check_that_takes_too_long_is_ended()
{
    Fixture fixture;
    fixture.options.timeout = std::chrono::milliseconds(50);
    fixture.options.retries = 3;
    const CheckSummary summary = fixture.run("echo 'ok 1 - a'; sleep 60");
    CHECK_EQUAL(summary.status(), ExitStatus::TimedOut);
    CHECK_EQUAL(summary.checks[0].runs, 1);
    CHECK_EQUAL(new_names(summary), "check ");
}

void reads_reports_that_are_written_anew()
{
    Fixture fixture;
    fixture.options.reports = {"report.xml"};
    write_file_atomically(fixture.directory.file("report.xml"),
                          "<testsuite><testcase name='old'/></testsuite>");
    CHECK_EQUAL(names(fixture.run("true").outcome.passed), "check ");
    CHECK_EQUAL(
        names(
            fixture
                .run("echo \"<testsuite><testcase name='new'/></testsuite>\" >report.xml")
                .outcome.passed),
        "new ");
}

void a_baseline_is_read_back()
{
    const Fixture fixture;
    const std::string path = fixture.directory.file("baseline");
    write_file_atomically(path, baseline_text({{"a"}, {"b", "c"}}));
    CHECK_EQUAL(names(read_baseline(path).passed), "b c ");
    write_file_atomically(path, "{\"failed\": [1], \"passed\": []}");
    CHECK_THROWS(read_baseline(path), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
    });
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_command_is_a_test_itself),
        TEST(tells_new_failures_from_those_of_the_baseline),
        TEST(what_passes_when_run_again_is_flaky),
        TEST(what_fails_each_time_is_not),
        TEST(a_test_of_several_checks_is_as_its_worst),
        TEST(a_failure_without_a_failed_test_is_the_checks),
        TEST(a_check_that_takes_too_long_is_ended),
        TEST(reads_reports_that_are_written_anew),
        TEST(a_baseline_is_read_back),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
