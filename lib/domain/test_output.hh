#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// The test runners whose output is read.
enum class TestFormat {
    None,   ///< none of them: the command itself is the test
    Junit,  ///< JUnit XML, as most runners can write it
    Tap,    ///< Test Anything Protocol
    Pytest, ///< with or without -v, -q
    Ctest,
    GoJson, ///< go test -json
    Go,     ///< go test [-v]
    Cargo,  ///< cargo test
    Cmocka, ///< cmocka and googletest on a terminal
};

/// "none", "junit", "tap", "pytest", "ctest", "go-json", "go", "cargo" or "cmocka".
std::string_view test_format_name(TestFormat format);

/// The format of that name; nothing for another.
std::optional<TestFormat> test_format_from(std::string_view name);

enum class TestOutcome { Passed, Failed, Skipped };

/// One test. Names are unique in a run: a second one of the same name has "#2" behind it.
struct TestResult
{
    std::string name;
    TestOutcome outcome = TestOutcome::Passed;
    std::string detail; ///< what the runner says of a failure, at most 4 KiB
};

/// What a runner's output says.
struct TestReport
{
    TestFormat format = TestFormat::None;
    std::vector<TestResult> results;
    /// Tests that are only counted, as pytest does with those that pass.
    int64_t unnamed_passed = 0;
    int64_t unnamed_skipped = 0;

    int64_t count(TestOutcome outcome) const;
};

/// Collects results, for those who read them.
class TestCollector
{
public:
    explicit TestCollector(TestFormat format) { report_.format = format; }

    /// Adds a result; `detail` is cut.
    void add(std::string name, TestOutcome outcome, std::string_view detail = {});

    /// Adds a line to the detail of the last result.
    void add_detail(std::string_view line);

    /// The result of that name; nothing if there is none.
    TestResult *find(std::string_view name);

    TestReport &report() noexcept { return report_; }

private:
    static constexpr size_t longest_detail = 4096;
    TestReport report_;
    std::map<std::string, size_t, std::less<>> index_;
};

/// Reads the output of a test runner, standard output and error together, or a report
/// file. TestFormat::None finds out which it is. Throws Error(BadData) for JUnit XML that
/// is broken; of all others what is understood counts.
TestReport read_test_output(std::string_view text, TestFormat format = TestFormat::None);

} // namespace ap
