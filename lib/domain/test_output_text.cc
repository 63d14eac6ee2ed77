#include "domain/test_output_text.hh"

#include "base/text.hh"

#include <algorithm>
#include <cctype>
#include <map>

namespace ap {

namespace {

constexpr size_t none = std::string_view::npos;

std::string_view without_end(std::string_view line)
{
    const size_t last = line.find_last_not_of(" \t\r\n");
    return line.substr(0, last == none ? 0 : last + 1);
}

std::string upper(std::string_view text)
{
    std::string made(text);
    std::transform(made.begin(), made.end(), made.begin(),
                   [](unsigned char letter) { return std::toupper(letter); });
    return made;
}

// "12 - what it does # SKIP why", behind "ok" or "not ok".
void add_tap_result(TestCollector &tests, std::string_view rest, bool passed)
{
    rest = trim(rest);
    const size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    const std::string_view number = rest.substr(0, digits);
    rest = trim(rest.substr(digits));
    if (rest.starts_with("- ")) {
        rest.remove_prefix(2);
    }
    const size_t hash = rest.starts_with("# ") ? 0 : rest.find(" # ");
    const std::string directive =
        hash == none ? "" : upper(trim(rest.substr(hash)).substr(1));
    const bool aside =
        trim(directive).starts_with("SKIP") || trim(directive).starts_with("TODO");
    std::string name(trim(aside ? rest.substr(0, hash) : rest));
    if (name.empty()) {
        name = "test " + std::string(number);
    }
    tests.add(std::move(name), aside    ? TestOutcome::Skipped
                               : passed ? TestOutcome::Passed
                                        : TestOutcome::Failed);
}

// What pytest calls an outcome; nothing for a word that is none.
std::optional<TestOutcome> pytest_outcome(std::string_view word)
{
    if (word == "PASSED" || word == "XPASS") {
        return TestOutcome::Passed;
    }
    if (word == "FAILED" || word == "ERROR") {
        return TestOutcome::Failed;
    }
    if (word == "SKIPPED" || word == "XFAIL") {
        return TestOutcome::Skipped;
    }
    return std::nullopt;
}

struct PytestCounts
{
    int64_t passed = 0;
    int64_t skipped = 0;
};

// "1 failed, 2 passed, 1 skipped in 0.12s".
std::optional<PytestCounts> pytest_counts(std::string_view line)
{
    while (line.starts_with('=')) {
        line.remove_prefix(1);
    }
    const size_t in = line.find(" in ");
    if (in == none || line.find('s', in + 4) == none) {
        return std::nullopt;
    }
    PytestCounts counts;
    bool known = false;
    for (const std::string_view part : split(trim(line.substr(0, in)), ',')) {
        const std::string_view text = trim(part);
        const size_t space = text.find(' ');
        const auto number = parse_integer(text.substr(0, space), 0, INT64_MAX);
        if (!number || space == none) {
            return std::nullopt;
        }
        const std::string_view what = text.substr(space + 1);
        if (what == "passed" || what == "xpassed") {
            counts.passed += *number;
        } else if (what == "skipped" || what == "xfailed") {
            counts.skipped += *number;
        }
        known = known || what == "passed" || what == "failed" || what == "skipped" ||
                what.starts_with("error") || what == "xfailed" || what == "xpassed";
    }
    return known ? std::optional(counts) : std::nullopt;
}

// "tests/test_a.py::test_b[1] PASSED   [ 50%]".
void add_pytest_verbose(TestCollector &tests, std::string_view line)
{
    const size_t colons = line.find("::");
    if (colons == none || line.find(' ') < colons) {
        return;
    }
    for (size_t space = line.find(' '); space != none;
         space = line.find(' ', space + 1)) {
        const std::string_view rest = line.substr(space + 1);
        const std::string_view word = rest.substr(0, rest.find(' '));
        const auto outcome = pytest_outcome(word);
        const std::string_view behind = trim(rest.substr(word.size()));
        if (outcome &&
            (behind.empty() || behind.front() == '[' || behind.front() == '(')) {
            tests.add(std::string(line.substr(0, space)), *outcome);
            return;
        }
    }
}

// "FAILED tests/test_a.py::test_b - assert 1 == 2", of the summary.
void add_pytest_failure(TestCollector &tests, std::string_view rest)
{
    const size_t dash = rest.find(" - ");
    const std::string name(trim(rest.substr(0, dash)));
    const std::string_view detail = dash == none ? "" : rest.substr(dash + 3);
    TestResult *known = tests.find(name);
    if (known == nullptr) {
        tests.add(name, TestOutcome::Failed, detail);
    } else {
        known->outcome = TestOutcome::Failed;
        known->detail = detail;
    }
}

// "2/7 Test #2: bad ......***Failed    0.02 sec".
void add_ctest_result(TestCollector &tests, std::string_view line)
{
    const size_t test = line.find(" Test ");
    const size_t colon = line.find(": ");
    if (test == none || colon == none || test > colon || line.find('#') > colon ||
        line.substr(0, test).find_first_not_of(" /0123456789") != none) {
        return;
    }
    const std::string_view rest = line.substr(colon + 2);
    const std::string_view name = rest.substr(0, rest.find(' '));
    std::string_view result = rest.substr(name.size());
    result = result.substr(std::min(result.find_first_not_of(" .*"), result.size()));
    const TestOutcome outcome = result.starts_with("Passed")    ? TestOutcome::Passed
                                : result.starts_with("Skipped") ? TestOutcome::Skipped
                                : result.starts_with("Not Run (Disabled)")
                                    ? TestOutcome::Skipped
                                    : TestOutcome::Failed;
    const size_t time = result.find("  ");
    tests.add(std::string(name), outcome,
              outcome == TestOutcome::Failed ? result.substr(0, time) : "");
}

} // namespace

TestReport read_tap(std::string_view text)
{
    TestCollector tests(TestFormat::Tap);
    constexpr int64_t most_planned = 1'000'000'000;
    std::optional<int64_t> planned;
    int64_t count = 0;
    for (const std::string_view raw : lines_of(text)) {
        const std::string_view line = without_end(raw);
        if (line.starts_with("ok") && (line.size() == 2 || line[2] == ' ')) {
            add_tap_result(tests, line.substr(2), true);
            count++;
        } else if (line.starts_with("not ok") && (line.size() == 6 || line[6] == ' ')) {
            add_tap_result(tests, line.substr(6), false);
            count++;
        } else if (line.starts_with("1..")) {
            const std::string_view number = line.substr(3, line.find(' ') - 3);
            // Programs that a check runs one after the other have a plan each.
            if (const auto more = parse_integer(number, 0, most_planned)) {
                planned = planned.value_or(0) + *more;
            }
        } else if (line.starts_with("Bail out!")) {
            tests.add("Bail out!", TestOutcome::Failed, line);
        } else if (line.starts_with("#") && !tests.report().results.empty() &&
                   tests.report().results.back().outcome == TestOutcome::Failed) {
            tests.add_detail(trim(line.substr(1)));
        }
    }
    if (planned && *planned != count) {
        tests.add("the plan", TestOutcome::Failed,
                  std::to_string(*planned) + " tests were planned, " +
                      std::to_string(count) + " have run");
    }
    return std::move(tests.report());
}

bool is_pytest_summary(std::string_view line)
{
    return pytest_counts(line).has_value();
}

TestReport read_pytest(std::string_view text)
{
    TestCollector tests(TestFormat::Pytest);
    bool in_summary = false;
    for (const std::string_view raw : lines_of(text)) {
        const std::string_view line = without_end(raw);
        if (line.find(" short test summary info ==") != none) {
            in_summary = true;
        } else if (const auto counts = pytest_counts(line)) {
            TestReport &report = tests.report();
            report.unnamed_passed =
                std::max<int64_t>(0, counts->passed - report.count(TestOutcome::Passed));
            report.unnamed_skipped = std::max<int64_t>(
                0, counts->skipped - report.count(TestOutcome::Skipped));
        } else if (in_summary && line.starts_with("FAILED ")) {
            add_pytest_failure(tests, line.substr(7));
        } else if (in_summary && line.starts_with("ERROR ")) {
            add_pytest_failure(tests, line.substr(6));
        } else if (!in_summary) {
            add_pytest_verbose(tests, line);
        }
    }
    return std::move(tests.report());
}

TestReport read_ctest(std::string_view text)
{
    TestCollector tests(TestFormat::Ctest);
    for (const std::string_view raw : lines_of(text)) {
        add_ctest_result(tests, without_end(raw));
    }
    return std::move(tests.report());
}

TestReport read_cmocka(std::string_view text)
{
    TestCollector tests(TestFormat::Cmocka);
    std::optional<std::string> running;
    std::string detail;
    const auto end = [&](TestOutcome outcome) {
        if (running) {
            tests.add(*running, outcome, outcome == TestOutcome::Failed ? detail : "");
        }
        running.reset();
        detail.clear();
    };
    for (const std::string_view raw : lines_of(text)) {
        const std::string_view line = without_end(raw);
        if (line.starts_with("[ RUN      ]")) {
            detail += "did not end\n";
            end(TestOutcome::Failed);
            running = trim(line.substr(12));
        } else if (line.starts_with("[       OK ]")) {
            end(TestOutcome::Passed);
        } else if (line.starts_with("[  FAILED  ]")) {
            end(TestOutcome::Failed);
        } else if (line.starts_with("[  SKIPPED ]")) {
            end(TestOutcome::Skipped);
        } else if (running && detail.size() < 65536) {
            detail.append(line).append("\n");
        }
    }
    detail += "did not end\n";
    end(TestOutcome::Failed);
    return std::move(tests.report());
}

} // namespace ap
