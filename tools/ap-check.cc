#include "base/error.hh"
#include "base/text.hh"
#include "cli/table.hh"
#include "cli/tool.hh"
#include "domain/check_run.hh"
#include "sys/path.hh"

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'c', "command", "TEXT", "a check for the shell; may be repeated"},
    {'C', "directory", "DIR", "run the checks there (default: .)"},
    {'t', "timeout", "D", "longest run of a check (default: 30m; 0: none)"},
    {'i', "idle-timeout", "D", "longest silence of a check"},
    {'r', "retries", "N", "run again after new failures (default: 0)"},
    {'b', "baseline", "FILE", "what failed there is no new failure"},
    {'s', "save", "FILE", "write the outcome as a baseline"},
    {'R', "report", "FILE", "read results there; may be repeated"},
    {'f', "format", "FORMAT", "the test runner (default: found out)"},
    {'q', "quiet", "", "print nothing but new failures"},
    {0, "json", "", "print JSON"},
};

constexpr ap::ToolSpec spec = {.name = "ap-check",
                               .summary = "run checks and tell new failures from known",
                               .options = options,
                               .operands = "[CMD [ARG...]]",
                               .most = SIZE_MAX,
                               .stop_at_operand = true};

std::vector<ap::Check> checks_from(const ap::Arguments &arguments)
{
    std::vector<ap::Check> checks;
    for (const std::string &text : arguments.values("command")) {
        checks.push_back({text, {"sh", "-c", text}});
    }
    if (!arguments.operands().empty()) {
        checks.push_back({ap::join(arguments.operands(), " "), arguments.operands()});
    }
    if (checks.empty()) {
        throw ap::UsageError("expected a command, or --command TEXT");
    }
    return checks;
}

ap::CheckOptions options_from(const ap::Arguments &arguments)
{
    ap::CheckOptions choice;
    choice.directory = arguments.value("directory").value_or(".");
    if (const auto timeout = arguments.duration("timeout")) {
        choice.timeout = timeout->count() == 0 ? std::nullopt : timeout;
    }
    choice.idle_timeout = arguments.duration("idle-timeout");
    choice.retries = static_cast<int>(arguments.integer("retries", 0, 100).value_or(0));
    choice.reports = arguments.values("report");
    if (const auto name = arguments.value("format")) {
        const auto format = ap::test_format_from(*name);
        if (!format) {
            throw ap::UsageError("--format: expected junit, tap, pytest, ctest, go-json, "
                                 "go, cargo or cmocka, got '" +
                                 ap::printable(*name) + "'");
        }
        choice.format = *format;
    }
    return choice;
}

void print_table(const ap::CheckSummary &summary, bool quiet)
{
    ap::Table table({"RESULT", "TEST", "WHY"});
    for (const ap::FailedTest &test : summary.new_failures) {
        const std::string why = test.detail.substr(0, test.detail.find('\n'));
        table.add({"new", ap::printable(test.name), ap::printable(why, 80)});
    }
    const auto add = [&](const char *result, const std::vector<std::string> &names) {
        for (const std::string &name : names) {
            if (!quiet) {
                table.add({result, ap::printable(name), ""});
            }
        }
    };
    add("known", summary.known);
    add("flaky", summary.flaky);
    add("fixed", summary.fixed);
    add("missing", summary.missing);
    const std::string text = table.text();
    if (text.find('\n') + 1 != text.size()) {
        ap::print(text);
    }
    if (!quiet) {
        ap::print(std::to_string(summary.passed) + " passed, " +
                  std::to_string(summary.failed) + " failed, " +
                  std::to_string(summary.skipped) + " skipped\n");
    }
}

ExitStatus check(const ap::Arguments &arguments)
{
    const std::vector<ap::Check> checks = checks_from(arguments);
    const ap::CheckOptions choice = options_from(arguments);
    std::optional<ap::CheckBaseline> baseline;
    if (const auto path = arguments.value("baseline")) {
        baseline = ap::read_baseline(*path);
    }
    const ap::CheckSummary summary = ap::run_checks(checks, choice, baseline);
    for (const ap::CheckEnd &end : summary.checks) {
        if (end.end != ap::CommandEnd::Exited) {
            ap::warn(ap::printable(end.name) + ": " + end.text);
        }
    }
    if (arguments.has("json")) {
        ap::print(ap::check_summary_to_json(summary).dump() + "\n");
    } else {
        print_table(summary, arguments.has("quiet"));
    }
    if (const auto path = arguments.value("save"); path && !summary.timed_out) {
        ap::write_file_atomically(*path, ap::baseline_text(summary.outcome));
    }
    return summary.status();
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, check);
}
