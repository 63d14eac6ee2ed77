#include "domain/test_output.hh"

#include "base/text.hh"
#include "domain/junit.hh"
#include "domain/test_output_compiled.hh"
#include "domain/test_output_text.hh"

#include <algorithm>
#include <array>
#include <utility>

namespace ap {

namespace {

constexpr std::array<std::pair<TestFormat, std::string_view>, 9> format_names{{
    {TestFormat::None, "none"},
    {TestFormat::Junit, "junit"},
    {TestFormat::Tap, "tap"},
    {TestFormat::Pytest, "pytest"},
    {TestFormat::Ctest, "ctest"},
    {TestFormat::GoJson, "go-json"},
    {TestFormat::Go, "go"},
    {TestFormat::Cargo, "cargo"},
    {TestFormat::Cmocka, "cmocka"},
}};

TestFormat format_of_line(std::string_view line)
{
    const auto has = [&](std::string_view text) { return line.starts_with(text); };
    if (has("<?xml") || has("<testsuite")) {
        return TestFormat::Junit;
    }
    if (has("=== RUN   ") || has("--- FAIL: ") || has("--- PASS: ") || has("ok  \t") ||
        has("FAIL\t") || has("?   \t")) {
        return TestFormat::Go;
    }
    if (has("TAP version ") || has("ok ") || has("not ok ")) {
        return TestFormat::Tap;
    }
    if (has("1..") && line.size() > 3 &&
        line.find_first_not_of("0123456789", 3) == std::string_view::npos) {
        return TestFormat::Tap;
    }
    if (line.find(" test session starts ==") != std::string_view::npos ||
        line.find(" short test summary info ==") != std::string_view::npos ||
        is_pytest_summary(line)) {
        return TestFormat::Pytest;
    }
    if (has("Test project /") || has("    Start  ") ||
        (has("    Start ") && line.find(": ") != std::string_view::npos)) {
        return TestFormat::Ctest;
    }
    if (has("{\"Time\":\"") || has("{\"ImportPath\":\"") || has("{\"Action\":\"")) {
        return TestFormat::GoJson;
    }
    if (has("test result: ") || (has("running ") && line.ends_with(" tests")) ||
        line == "running 1 test") {
        return TestFormat::Cargo;
    }
    if (has("[==========]") || has("[ RUN      ]")) {
        return TestFormat::Cmocka;
    }
    return TestFormat::None;
}

TestFormat detect(std::string_view text)
{
    for (const std::string_view line : lines_of(text)) {
        const size_t end = line.find_last_not_of("\r\n");
        const TestFormat format =
            format_of_line(line.substr(0, end == std::string_view::npos ? 0 : end + 1));
        if (format != TestFormat::None) {
            return format;
        }
    }
    return TestFormat::None;
}

} // namespace

std::string_view test_format_name(TestFormat format)
{
    return std::find_if(format_names.begin(), format_names.end(),
                        [&](const auto &entry) { return entry.first == format; })
        ->second;
}

std::optional<TestFormat> test_format_from(std::string_view name)
{
    const auto found =
        std::find_if(format_names.begin(), format_names.end(),
                     [&](const auto &entry) { return entry.second == name; });
    return found == format_names.end() ? std::nullopt : std::optional(found->first);
}

int64_t TestReport::count(TestOutcome outcome) const
{
    const int64_t unnamed = outcome == TestOutcome::Passed    ? unnamed_passed
                            : outcome == TestOutcome::Skipped ? unnamed_skipped
                                                              : 0;
    return unnamed +
           std::count_if(results.begin(), results.end(), [&](const TestResult &result) {
               return result.outcome == outcome;
           });
}

void TestCollector::add(std::string name, TestOutcome outcome, std::string_view detail)
{
    if (find(name) != nullptr) {
        int number = 2;
        while (find(name + "#" + std::to_string(number)) != nullptr) {
            number++;
        }
        name += "#" + std::to_string(number);
    }
    report_.results.push_back(
        {std::move(name), outcome, std::string(trim(detail.substr(0, longest_detail)))});
    index_.emplace(report_.results.back().name, report_.results.size() - 1);
}

void TestCollector::add_detail(std::string_view line)
{
    if (report_.results.empty()) {
        return;
    }
    std::string &detail = report_.results.back().detail;
    if (detail.size() + line.size() < longest_detail) {
        detail += (detail.empty() ? "" : "\n") + std::string(line);
    }
}

TestResult *TestCollector::find(std::string_view name)
{
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &report_.results[found->second];
}

TestReport read_test_output(std::string_view text, TestFormat format)
{
    switch (format == TestFormat::None ? detect(text) : format) {
    case TestFormat::Junit:
        return read_junit(text);
    case TestFormat::Tap:
        return read_tap(text);
    case TestFormat::Pytest:
        return read_pytest(text);
    case TestFormat::Ctest:
        return read_ctest(text);
    case TestFormat::GoJson:
        return read_go_json(text);
    case TestFormat::Go:
        return read_go(text);
    case TestFormat::Cargo:
        return read_cargo(text);
    case TestFormat::Cmocka:
        return read_cmocka(text);
    case TestFormat::None:
        break;
    }
    return {};
}

} // namespace ap
