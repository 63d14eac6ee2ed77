#include "domain/check_run.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "sys/path.hh"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <sys/stat.h>

namespace ap {

namespace {

constexpr size_t largest_report = size_t{256} << 20;
constexpr size_t tail_bytes = 4096;

// Tells whether a file was written anew: nothing, or its identity, size and time.
std::string stamp_of(const std::string &path)
{
    struct stat status = {};
    if (stat(path.c_str(), &status) != 0) {
        return {};
    }
    return std::to_string(status.st_ino) + " " + std::to_string(status.st_size) + " " +
           std::to_string(status.st_mtim.tv_sec) + "." +
           std::to_string(status.st_mtim.tv_nsec);
}

std::string tail_of(const std::string &text)
{
    if (text.size() <= tail_bytes) {
        return text;
    }
    // From a line's beginning on, so that no character is cut.
    const size_t line = text.find('\n', text.size() - tail_bytes);
    return text.substr(line == std::string::npos ? text.size() - tail_bytes : line + 1);
}

// One run of one check.
struct Attempt
{
    CommandResult result;
    TestReport report;
    std::vector<TestResult> tests; ///< with the check itself where it counts as one
};

// A test as the checks so far have it, and which of them.
struct Judged
{
    TestResult test;
    std::string check;
};

std::string own_detail(const Attempt &attempt)
{
    return attempt.result.text() + "\n" + tail_of(attempt.result.output);
}

class Checker
{
public:
    Checker(const CheckOptions &options, const std::optional<CheckBaseline> &baseline)
        : options_(options)
        , baseline_(baseline)
    {
        if (baseline) {
            known_.insert(baseline->failed.begin(), baseline->failed.end());
        }
    }

    void run(const Check &check)
    {
        Attempt last = attempt(check);
        int runs = 1;
        std::set<std::string> open = new_failures(last);
        std::set<std::string> flaky;
        const Attempt first = last;
        for (; runs <= options_.retries && !open.empty() && !is_late(last); runs++) {
            last = attempt(check);
            settle(open, flaky, new_failures(last));
        }
        take_tests(check, first, last, open, flaky);
        note(check, last, runs);
    }

    CheckSummary summary()
    {
        compare();
        return std::move(summary_);
    }

private:
    static bool is_late(const Attempt &attempt)
    {
        return attempt.result.end == CommandEnd::TimedOut ||
               attempt.result.end == CommandEnd::Idle;
    }

    // What failed once and not again was flaky; what fails only now is not forgiven.
    static void settle(std::set<std::string> &open, std::set<std::string> &flaky,
                       const std::set<std::string> &again)
    {
        for (const std::string &name : open) {
            if (!again.contains(name)) {
                flaky.insert(name);
            }
        }
        open = again;
        std::erase_if(open, [&](const auto &name) { return flaky.contains(name); });
    }

    Attempt attempt(const Check &check) const
    {
        Attempt attempt;
        std::map<std::string, std::string> stamps;
        for (const std::string &path : options_.reports) {
            stamps[path] = stamp_of(join_path(options_.directory, path));
        }
        Command command;
        command.argv = check.argv;
        command.directory = options_.directory;
        command.timeout = options_.timeout;
        command.idle_timeout = options_.idle_timeout;
        command.grace = options_.grace;
        command.withheld = options_.withheld;
        command.merge_error = true;
        attempt.result = run_command(command);
        for (const auto &[path, stamp] : stamps) {
            const std::string whole = join_path(options_.directory, path);
            if (stamp_of(whole) != stamp) {
                add(attempt.report,
                    read_test_output(read_file(whole, largest_report), options_.format));
            }
        }
        if (stamps.empty()) {
            attempt.report = read_test_output(attempt.result.output, options_.format);
        }
        judge(check, attempt);
        return attempt;
    }

    static void add(TestReport &whole, TestReport part)
    {
        whole.format = part.format;
        whole.unnamed_passed += part.unnamed_passed;
        whole.unnamed_skipped += part.unnamed_skipped;
        std::move(part.results.begin(), part.results.end(),
                  std::back_inserter(whole.results));
    }

    static void judge(const Check &check, Attempt &attempt)
    {
        attempt.tests = attempt.report.results;
        const bool failed = attempt.report.count(TestOutcome::Failed) > 0;
        const bool empty = attempt.tests.empty() && attempt.report.unnamed_passed == 0;
        const bool ended = attempt.result.end == CommandEnd::Exited;
        if (!ended || (attempt.result.status != 0 && !failed)) {
            attempt.tests.push_back(
                {check.name, TestOutcome::Failed, own_detail(attempt)});
        } else if (empty) {
            attempt.tests.push_back({check.name, TestOutcome::Passed, {}});
        }
    }

    std::set<std::string> new_failures(const Attempt &attempt) const
    {
        std::set<std::string> names;
        for (const TestResult &test : attempt.tests) {
            if (test.outcome == TestOutcome::Failed && !known_.contains(test.name)) {
                names.insert(test.name);
            }
        }
        return names;
    }

    // Of a test that several checks have, the worst counts.
    void take_tests(const Check &check, const Attempt &first, const Attempt &last,
                    const std::set<std::string> &open, const std::set<std::string> &flaky)
    {
        std::map<std::string, TestResult> results;
        for (const Attempt *attempt : {&last, &first}) {
            for (const TestResult &test : attempt->tests) {
                // Of a test that only the first run names, as one that failed then.
                results.emplace(test.name, test);
            }
        }
        for (auto &[name, test] : results) {
            if (open.contains(name)) {
                test.outcome = TestOutcome::Failed;
            } else if (flaky.contains(name)) {
                test.outcome = TestOutcome::Passed;
            }
            const auto [place, is_first] =
                results_.try_emplace(name, Judged{test, check.name});
            if (!is_first && test.outcome == TestOutcome::Failed &&
                place->second.test.outcome != TestOutcome::Failed) {
                place->second = {test, check.name};
            }
        }
        flaky_.insert(flaky.begin(), flaky.end());
    }

    void note(const Check &check, const Attempt &last, int runs)
    {
        summary_.passed += last.report.unnamed_passed;
        summary_.skipped += last.report.unnamed_skipped;
        summary_.timed_out = summary_.timed_out || is_late(last);
        CheckEnd end;
        end.name = check.name;
        end.end = last.result.end;
        end.status = last.result.status;
        end.text = last.result.text();
        end.took = last.result.took;
        end.runs = runs;
        end.format = last.report.format;
        if (!last.result.succeeded()) {
            end.tail = tail_of(last.result.output);
        }
        summary_.checks.push_back(std::move(end));
    }

    void compare()
    {
        summary_.flaky.assign(flaky_.begin(), flaky_.end());
        for (const auto &[name, judged] : results_) {
            const TestResult &test = judged.test;
            switch (test.outcome) {
            case TestOutcome::Passed:
                summary_.passed++;
                summary_.outcome.passed.push_back(name);
                break;
            case TestOutcome::Skipped:
                summary_.skipped++;
                summary_.outcome.passed.push_back(name);
                break;
            case TestOutcome::Failed:
                summary_.failed++;
                summary_.outcome.failed.push_back(name);
                if (known_.contains(name)) {
                    summary_.known.push_back(name);
                } else {
                    summary_.new_failures.push_back({name, test.detail, judged.check});
                }
                break;
            }
        }
        if (!baseline_) {
            return;
        }
        for (const std::string &name : baseline_->failed) {
            const auto found = results_.find(name);
            if (found == results_.end() ||
                found->second.test.outcome != TestOutcome::Failed) {
                summary_.fixed.push_back(name);
            }
        }
        for (const std::string &name : baseline_->passed) {
            if (!results_.contains(name)) {
                summary_.missing.push_back(name);
            }
        }
    }

    const CheckOptions &options_;
    const std::optional<CheckBaseline> &baseline_;
    std::set<std::string> known_;
    std::set<std::string> flaky_;
    std::map<std::string, Judged> results_;
    CheckSummary summary_;
};

Json names_to_json(const std::vector<std::string> &names)
{
    Json array = Json::array();
    for (const std::string &name : names) {
        array.append(Json::string(name));
    }
    return array;
}

std::vector<std::string> names_from(const Json &json, const char *key,
                                    const std::string &path)
{
    std::vector<std::string> names;
    const Json array = json.get(key);
    for (size_t i = 0; i < array.size(); i++) {
        if (!array.at(i).is_string()) {
            break;
        }
        names.push_back(array.at(i).as_string());
    }
    if (!array.is_array() || names.size() != array.size()) {
        throw Error(ExitStatus::BadData,
                    "'" + path + "': /" + key + ": expected an array of names");
    }
    return names;
}

} // namespace

ExitStatus CheckSummary::status() const noexcept
{
    if (timed_out) {
        return ExitStatus::TimedOut;
    }
    return new_failures.empty() ? ExitStatus::Done : ExitStatus::Failed;
}

CheckSummary run_checks(const std::vector<Check> &checks, const CheckOptions &options,
                        const std::optional<CheckBaseline> &baseline)
{
    Checker checker(options, baseline);
    for (const Check &check : checks) {
        checker.run(check);
    }
    return checker.summary();
}

CheckBaseline read_baseline(const std::string &path)
{
    return baseline_from_json(Json::parse(read_file(path, largest_report), path), path);
}

std::string baseline_text(const CheckBaseline &baseline)
{
    return baseline_to_json(baseline).dump_pretty();
}

Json baseline_to_json(const CheckBaseline &baseline)
{
    return Json::object()
        .set("failed", names_to_json(baseline.failed))
        .set("passed", names_to_json(baseline.passed));
}

CheckBaseline baseline_from_json(const Json &json, const std::string &source)
{
    return {names_from(json, "failed", source), names_from(json, "passed", source)};
}

Json check_summary_to_json(const CheckSummary &summary)
{
    Json failures = Json::array();
    for (const FailedTest &test : summary.new_failures) {
        Json json = Json::object();
        failures.append(json.set("name", test.name)
                            .set("check", test.check)
                            .set("detail", test.detail));
    }
    Json checks = Json::array();
    for (const CheckEnd &check : summary.checks) {
        Json json = Json::object();
        checks.append(json.set("check", check.name)
                          .set("end", check.text)
                          .set("took_ms", static_cast<int64_t>(check.took.count()))
                          .set("runs", check.runs)
                          .set("format", test_format_name(check.format))
                          .set("tail", check.tail));
    }
    Json json = Json::object();
    return json.set("passed", summary.passed)
        .set("failed", summary.failed)
        .set("skipped", summary.skipped)
        .set("timed_out", summary.timed_out)
        .set("new", failures)
        .set("known", names_to_json(summary.known))
        .set("fixed", names_to_json(summary.fixed))
        .set("flaky", names_to_json(summary.flaky))
        .set("missing", names_to_json(summary.missing))
        .set("checks", checks);
}

} // namespace ap
