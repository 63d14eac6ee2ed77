#include "domain/test_output_compiled.hh"

#include "base/text.hh"
#include "wrap/json.hh"

#include <algorithm>
#include <map>
#include <set>

namespace ap {

namespace {

constexpr size_t none = std::string_view::npos;
constexpr size_t most_text = 65536;

std::string_view without_end(std::string_view line)
{
    const size_t last = line.find_last_not_of(" \t\r\n");
    return line.substr(0, last == none ? 0 : last + 1);
}

// A result of go's that waits for the line with its package.
struct GoResult
{
    std::string name;
    TestOutcome outcome;
    std::string detail;
};

// "--- FAIL: TestX/sub (0.00s)", however far indented.
std::optional<GoResult> go_result(std::string_view line)
{
    constexpr std::pair<std::string_view, TestOutcome> openings[] = {
        {"--- PASS: ", TestOutcome::Passed},
        {"--- FAIL: ", TestOutcome::Failed},
        {"--- SKIP: ", TestOutcome::Skipped}};
    line = trim(line);
    for (const auto &[opening, outcome] : openings) {
        if (line.starts_with(opening)) {
            line.remove_prefix(opening.size());
            return GoResult{std::string(line.substr(0, line.find(" ("))), outcome, {}};
        }
    }
    return std::nullopt;
}

class GoReader
{
public:
    void take(std::string_view line)
    {
        if (auto result = go_result(line)) {
            pending_.push_back(std::move(*result));
        } else if (line.starts_with("ok  \t")) {
            finish(line.substr(5), false);
        } else if (line.starts_with("FAIL\t")) {
            finish(line.substr(5), true);
        } else if (line.starts_with("panic: ")) {
            panic_ = line;
        } else if (!pending_.empty() && line.starts_with("    ") &&
                   pending_.back().detail.size() < most_text) {
            pending_.back().detail.append(trim(line)).append("\n");
        }
    }

    TestReport report()
    {
        for (GoResult &result : pending_) {
            tests_.add(std::move(result.name), result.outcome, result.detail);
        }
        return std::move(tests_.report());
    }

private:
    // "example.com/pkg\t0.01s", "example.com/pkg [build failed]".
    void finish(std::string_view rest, bool failed)
    {
        const std::string package(rest.substr(0, rest.find_first_of("\t ")));
        bool named = false;
        for (GoResult &result : pending_) {
            named = named || result.outcome == TestOutcome::Failed;
            tests_.add(package + "." + result.name, result.outcome, result.detail);
        }
        if (failed && (!named || !panic_.empty())) {
            tests_.add(package, TestOutcome::Failed,
                       panic_.empty() ? rest.substr(package.size()) : panic_);
        }
        pending_.clear();
        panic_.clear();
    }

    TestCollector tests_{TestFormat::Go};
    std::vector<GoResult> pending_;
    std::string panic_;
};

// "test tests::wrong ... FAILED".
bool add_cargo_result(TestCollector &tests, std::string_view line,
                      const std::string &target)
{
    constexpr std::string_view opening = "test ";
    const size_t dots = line.rfind(" ... ");
    if (!line.starts_with(opening) || dots == none) {
        return false;
    }
    const std::string_view result = line.substr(dots + 5);
    std::string name(line.substr(opening.size(), dots - opening.size()));
    if (!target.empty()) {
        name.insert(0, target + "::");
    }
    if (result.starts_with("ok")) {
        tests.add(std::move(name), TestOutcome::Passed);
    } else if (result.starts_with("FAILED") || result.starts_with("failed")) {
        tests.add(std::move(name), TestOutcome::Failed);
    } else if (result.starts_with("ignored")) {
        tests.add(std::move(name), TestOutcome::Skipped);
    } else {
        return false;
    }
    return true;
}

// "     Running unittests src/lib.rs (target/debug/deps/x-1234)", "   Doc-tests sample".
std::optional<std::string> cargo_target(std::string_view line)
{
    line = trim(line);
    if (line.starts_with("Doc-tests ")) {
        return "doc";
    }
    if (!line.starts_with("Running ") || !line.ends_with(')')) {
        return std::nullopt;
    }
    line.remove_prefix(8);
    line = line.substr(0, line.find(" ("));
    return std::string(line.starts_with("unittests ") ? line.substr(10) : line);
}

// Takes the events of `go test -json`.
class GoEvents
{
public:
    void take(const Json &event)
    {
        const std::string action = event.get_string("Action").value_or("");
        const std::string package = event.get_string("Package").value_or(
            event.get_string("ImportPath").value_or(""));
        const std::string test = event.get_string("Test").value_or("");
        const std::string name = test.empty() ? package : package + "." + test;
        if (action == "output" || action == "build-output") {
            std::string &output = outputs_[name];
            if (output.size() < most_text) {
                output += event.get_string("Output").value_or("");
            }
        } else if (action == "fail") {
            fail(package, test, name);
        } else if (!test.empty() && (action == "pass" || action == "skip")) {
            tests_.add(name,
                       action == "pass" ? TestOutcome::Passed : TestOutcome::Skipped);
            outputs_.erase(name);
        }
    }

    TestReport report() { return std::move(tests_.report()); }

private:
    // A package fails for its tests, or by itself: it panicked or was not built.
    void fail(const std::string &package, const std::string &test,
              const std::string &name)
    {
        if (!test.empty() || !with_failures_.contains(package)) {
            tests_.add(name, TestOutcome::Failed, outputs_[name]);
            with_failures_.insert(package);
            outputs_.erase(name);
        }
    }

    TestCollector tests_{TestFormat::GoJson};
    std::map<std::string, std::string> outputs_;
    std::set<std::string> with_failures_;
};

} // namespace

TestReport read_go_json(std::string_view text)
{
    GoEvents events;
    for (const std::string_view line : lines_of(text)) {
        if (const auto event =
                line.starts_with('{') ? Json::try_parse(line) : std::nullopt) {
            events.take(*event);
        }
    }
    return events.report();
}

TestReport read_go(std::string_view text)
{
    GoReader reader;
    for (const std::string_view line : lines_of(text)) {
        reader.take(without_end(line));
    }
    return reader.report();
}

TestReport read_cargo(std::string_view text)
{
    TestCollector tests(TestFormat::Cargo);
    std::string target;
    TestResult *told = nullptr;
    for (const std::string_view raw : lines_of(text)) {
        const std::string_view line = without_end(raw);
        if (auto next = cargo_target(line)) {
            target = std::move(*next);
            told = nullptr;
        } else if (add_cargo_result(tests, line, target) || line == "failures:" ||
                   line.starts_with("test result:")) {
            told = nullptr;
        } else if (line.starts_with("---- ") && line.ends_with(" ----")) {
            const std::string_view name = line.substr(5, line.find(" std") - 5);
            told = tests.find((target.empty() ? "" : target + "::") + std::string(name));
        } else if (told != nullptr && told->detail.size() < 4096 && !line.empty()) {
            told->detail += (told->detail.empty() ? "" : "\n") + std::string(line);
        }
    }
    return std::move(tests.report());
}

} // namespace ap
