#pragma once

#include "base/exit_status.hh"
#include "domain/test_output.hh"
#include "sys/command.hh"
#include "wrap/json.hh"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ap {

/// A check to be run.
struct Check
{
    std::string name; ///< as messages have it: its words, or its shell text
    std::vector<std::string> argv;
};

/// How checks are run.
struct CheckOptions
{
    std::string directory = "."; ///< working directory of the checks
    std::optional<std::chrono::milliseconds> timeout = std::chrono::minutes(30);
    std::optional<std::chrono::milliseconds> idle_timeout;
    std::chrono::milliseconds grace{5000};
    TestFormat format = TestFormat::None; ///< None: found out
    std::vector<std::string> reports;  ///< files the checks write, read instead of output
    int retries = 0;                   ///< of a check with new failures
    std::vector<std::string> withheld; ///< variables of this process they do not get
};

/// What failed before a change, so that it does not count against it.
struct CheckBaseline
{
    std::vector<std::string> failed;
    std::vector<std::string> passed; ///< and skipped: all other tests known by name
};

/// A test that failed.
struct FailedTest
{
    std::string name;
    std::string detail;
    std::string check; ///< the name of the check it is of
};

/// How a check's last run ended.
struct CheckEnd
{
    std::string name;
    CommandEnd end = CommandEnd::Exited;
    int status = 0;
    std::string text; ///< "exited with status 1", "timed out", ...
    std::chrono::milliseconds took{0};
    int runs = 0;
    TestFormat format = TestFormat::None;
    std::string tail; ///< the end of what it wrote, if it did not succeed
};

/// What all checks together say.
struct CheckSummary
{
    int64_t passed = 0;
    int64_t failed = 0;
    int64_t skipped = 0;
    std::vector<FailedTest> new_failures;
    std::vector<std::string> known;   ///< failed, as in the baseline
    std::vector<std::string> fixed;   ///< failed in the baseline, and did not now
    std::vector<std::string> flaky;   ///< failed, and passed when run again
    std::vector<std::string> missing; ///< in the baseline, and not run now
    std::vector<CheckEnd> checks;
    bool timed_out = false;
    CheckBaseline outcome; ///< to be a later run's baseline

    /// TimedOut, Failed if there are new failures, else Done.
    ExitStatus status() const noexcept;
};

/// Runs the checks, one after the other, each to its end. A check of whose output no test
/// is understood is itself the test; one that fails though all its tests passed, or that
/// was killed or timed out, is a failure of its own name. A check with failures that
/// `baseline` has not is run again up to `retries` times; what then passes is flaky.
/// A report that a check did not write anew is not read. Throws Error(BadData) for a
/// broken report, Error(Aborted) when interrupted.
CheckSummary run_checks(const std::vector<Check> &checks, const CheckOptions &options,
                        const std::optional<CheckBaseline> &baseline);

/// The baseline in the file at `path`, or its text for a file. Throws Error(BadData).
CheckBaseline read_baseline(const std::string &path);
std::string baseline_text(const CheckBaseline &baseline);

/// The same as JSON; `source` names it in messages.
Json baseline_to_json(const CheckBaseline &baseline);
CheckBaseline baseline_from_json(const Json &json, const std::string &source);

/// The summary as one JSON object.
Json check_summary_to_json(const CheckSummary &summary);

} // namespace ap
