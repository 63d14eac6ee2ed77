#include "domain/test_output.hh"

#include "check.hh"

#include "base/error.hh"
#include "sys/path.hh"

#include <cstdlib>

using namespace ap;

namespace {

// What a real runner printed, or, for go and pytest, what their manuals say they print.
TestReport sample(const std::string &name)
{
    const char *source = std::getenv("AP_SOURCE");
    return read_test_output(read_file(std::string(source == nullptr ? "." : source) +
                                          "/tests/unit/runners/" + name,
                                      1 << 20));
}

std::string told(const TestReport &report)
{
    std::string text(test_format_name(report.format));
    for (const TestResult &test : report.results) {
        text += test.outcome == TestOutcome::Passed    ? " +"
                : test.outcome == TestOutcome::Skipped ? " ~"
                                                       : " -";
        text += test.name;
    }
    return text;
}

std::string detail(TestReport report, std::string_view name)
{
    for (const TestResult &test : report.results) {
        if (test.name == name) {
            return test.detail;
        }
    }
    return "no such test";
}

void reads_junit()
{
    CHECK_EQUAL(told(sample("junit.xml")),
                "junit +sample.good -sample.bad ~sample.skipped");
    CHECK(detail(sample("junit.xml"), "sample.bad").starts_with("0x1 != 0x2"));
}

void reads_tap()
{
    CHECK_EQUAL(told(sample("tap.txt")), "tap +adds -fails ~skips");
    CHECK(detail(sample("tap.txt"), "fails").ends_with("got 1"));
    CHECK_EQUAL(
        told(read_test_output("TAP version 13\n1..3\nok 1\nnot ok 2 - x # TODO y\n")),
        "tap +test 1 ~x -the plan");
    CHECK_EQUAL(told(read_test_output("ok 1 - a\nnot ok 2 - a\nBail out! disk\n")),
                "tap +a -a#2 -Bail out!");
}

void reads_tap_of_programs_that_run_one_after_the_other()
{
    CHECK_EQUAL(told(read_test_output("ok 1 - a\n1..1\nok 1 - b\nok 2 - c\n1..2\n")),
                "tap +a +b +c");
    CHECK_EQUAL(told(read_test_output("1..1\nok 1 - a\n1..2\nok 1 - b\n")),
                "tap +a +b -the plan");
}

void reads_pytest()
{
    CHECK_EQUAL(told(sample("pytest-v.txt")),
                "pytest +test_sum.py::test_adds -test_sum.py::test_fails "
                "~test_sum.py::test_skipped +test_sum.py::test_each[1] "
                "-test_sum.py::test_each[a b] -test_sum.py::test_error "
                "~test_sum.py::test_known");
    const TestReport report = sample("pytest-q.txt");
    CHECK_EQUAL(told(report),
                "pytest -test_sum.py::test_fails -test_sum.py::test_each[a b] "
                "-test_sum.py::test_error");
    CHECK_EQUAL(report.count(TestOutcome::Passed), 2);
    CHECK_EQUAL(report.count(TestOutcome::Skipped), 2);
    CHECK_EQUAL(detail(report, "test_sum.py::test_fails"), "assert [1, 2] == [1, 3]");
}

void reads_ctest()
{
    CHECK_EQUAL(told(sample("ctest.txt")),
                "ctest +good -bad -slow -crash ~skipped -missing ~disabled");
    CHECK_EQUAL(detail(sample("ctest.txt"), "slow"), "Timeout");
}

void reads_go()
{
    CHECK_EQUAL(
        told(sample("go.txt")),
        "go +example.com/sample/sum.TestAdd -example.com/sample/sum.TestSub "
        "+example.com/sample/sum.TestSub/zero -example.com/sample/sum.TestSub/one "
        "~example.com/sample/sum.TestLater -example.com/sample/broken");
    CHECK_EQUAL(told(sample("go.json")),
                "go-json +example.com/sample/sum.TestAdd -example.com/sample/sum.TestSub "
                "~example.com/sample/sum.TestLater -example.com/sample/broken");
    CHECK_EQUAL(detail(sample("go.json"), "example.com/sample/sum.TestSub"),
                "sub_test.go:12: got 2, want 1");
}

void reads_cargo()
{
    CHECK_EQUAL(told(sample("cargo.txt")),
                "cargo ~src/lib.rs::tests::later +src/lib.rs::tests::doubles "
                "-src/lib.rs::tests::wrong +doc::src/lib.rs - twice (line 1)");
    CHECK(detail(sample("cargo.txt"), "src/lib.rs::tests::wrong").find("right: 5") !=
          std::string::npos);
}

void reads_cmocka()
{
    CHECK_EQUAL(told(sample("cmocka.txt")), "cmocka +good -bad ~skipped");
    CHECK(detail(sample("cmocka.txt"), "bad").find("0x1 != 0x2") != std::string::npos);
    CHECK_EQUAL(told(read_test_output("[==========] Running 2 test(s).\n"
                                      "[ RUN      ] a\nSegmentation fault\n")),
                "cmocka -a");
}

void other_text_is_no_test()
{
    CHECK_EQUAL(told(read_test_output("cc -c a.c\nok\ndone in 3 steps\n")), "none");
    CHECK_EQUAL(told(read_test_output("")), "none");
}

void broken_xml_is_bad_data()
{
    for (const char *text : {"<?xml version='1.0'?><testsuite><testcase name='a'>",
                             "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a "
                             "'b'>]><testsuite>&a;</testsuite>"}) {
        CHECK_THROWS(read_test_output(text), Error, [](const Error &error) {
            CHECK_EQUAL(error.status(), ExitStatus::BadData);
            CHECK(std::string(error.what()).starts_with("JUnit report: line 1"));
        });
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(reads_junit),
        TEST(reads_tap),
        TEST(reads_tap_of_programs_that_run_one_after_the_other),
        TEST(reads_pytest),
        TEST(reads_ctest),
        TEST(reads_go),
        TEST(reads_cargo),
        TEST(reads_cmocka),
        TEST(other_text_is_no_test),
        TEST(broken_xml_is_bad_data),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
