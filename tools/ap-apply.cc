#include "base/error.hh"
#include "base/text.hh"
#include "cli/tool.hh"
#include "domain/apply.hh"
#include "domain/worktree.hh"
#include "sys/path.hh"

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'C', "directory", "DIR", "root of the tree that is changed (default: .)"},
    {'f', "format", "FORMAT", "auto (default), diff, files, edits or json"},
    {'s', "scope", "GLOB", "touch only these paths; may be repeated"},
    {'p', "protect", "GLOB", "never touch these; may be repeated"},
    {'n', "check", "", "only say what would happen"},
    {0, "dry-run", "", "the same as --check"},
    {'R', "reverse", "", "undo a diff"},
    {0, "strip", "N", "take N leading pieces off the paths of a diff"},
    {0, "fuzz", "N", "context lines that may differ (default: 2)"},
    {0, "risk-limit", "RISK", "above it, nothing is done (default: high)"},
    {0, "max-files", "N", "files changed at most (default: 100)"},
    {0, "max-lines", "N", "lines added and removed at most (default: 5000)"},
    {0, "max-deletions", "N", "files removed at most (default: 10)"},
    {0, "max-bytes", "N", "size of a file at most (default: 1048576)"},
    {0, "allow-binary", "", "take files with null bytes"},
    {0, "save-point", "DIR", "keep what is replaced in this new directory"},
    {0, "rollback", "DIR", "bring back what a save point holds"},
    {0, "force", "", "roll back files that were changed since, too"},
    {0, "recover", "", "undo what a killed ap-apply left half done"},
    {'w', "worktree", "DIR", "make a git worktree there, and apply in it"},
    {0, "json", "", "print JSON"},
};

constexpr ap::ToolSpec spec = {.name = "ap-apply",
                               .summary = "apply a change within limits, whole or not",
                               .options = options,
                               .operands = "[FILE]",
                               .most = 1};

constexpr size_t largest_input = size_t{64} << 20;
constexpr int64_t most = 1'000'000'000;

template <typename Value>
Value named(const ap::Arguments &arguments, std::string_view option,
            std::optional<Value> (*from)(std::string_view), Value otherwise,
            const char *expected)
{
    const auto given = arguments.value(option);
    const auto value = given ? from(*given) : otherwise;
    if (!value) {
        throw ap::UsageError("--" + std::string(option) + ": expected " + expected +
                             ", got '" + ap::printable(*given) + "'");
    }
    return *value;
}

ap::ApplyOptions options_from(const ap::Arguments &arguments)
{
    ap::ApplyOptions choice;
    choice.directory = arguments.value("directory").value_or(".");
    choice.reading.format =
        named(arguments, "format", ap::patch_format_from, ap::PatchFormat::Auto,
              "auto, diff, files, edits or json");
    if (const auto strip = arguments.integer("strip", 0, 100)) {
        choice.reading.strip = static_cast<int>(*strip);
    }
    choice.reading.reverse = arguments.has("reverse");
    choice.fuzz = static_cast<int>(arguments.integer("fuzz", -1, 100).value_or(2));
    choice.risk_limit = named(arguments, "risk-limit", ap::risk_from, ap::Risk::High,
                              "none, low, medium or high");
    choice.check = arguments.has("check") || arguments.has("dry-run");
    choice.save_point = arguments.value("save-point");
    ap::ApplyRules &rules = choice.rules;
    rules.scope = arguments.values("scope");
    rules.protect = arguments.values("protect");
    rules.allow_binary = arguments.has("allow-binary");
    rules.most_files = arguments.integer("max-files", 0, most).value_or(rules.most_files);
    rules.most_lines = arguments.integer("max-lines", 0, most).value_or(rules.most_lines);
    rules.most_deletions =
        arguments.integer("max-deletions", 0, most).value_or(rules.most_deletions);
    rules.largest_file =
        arguments.integer("max-bytes", 0, most).value_or(rules.largest_file);
    return choice;
}

ExitStatus roll_back(const ap::Arguments &arguments, const std::string &directory)
{
    const auto paths =
        ap::undo_change(directory, *arguments.value("rollback"), arguments.has("force"));
    ap::Json list = ap::Json::array();
    for (const std::string &path : paths) {
        list.append(ap::Json::string(path));
    }
    ap::Json json = ap::Json::object();
    if (arguments.has("json")) {
        ap::print(json.set("rolled_back", list).dump() + "\n");
    }
    return ExitStatus::Done;
}

void tell(const ap::Arguments &arguments, const ap::ApplyReport &report)
{
    if (report.recovered) {
        ap::warn("a change that was interrupted has been undone");
    }
    ap::print(arguments.has("json") ? ap::apply_report_to_json(report).dump() + "\n"
                                    : ap::apply_report_to_text(report));
    if (!report.applied && !report.checked) {
        ap::warn("nothing was changed");
    }
}

ExitStatus apply(const ap::Arguments &arguments)
{
    ap::ApplyOptions choice = options_from(arguments);
    if (arguments.has("rollback")) {
        return roll_back(arguments, choice.directory);
    }
    if (arguments.has("recover")) {
        if (ap::recover_change(choice.directory)) {
            ap::warn("a change that was interrupted has been undone");
        }
        return ExitStatus::Done;
    }
    const std::string input = arguments.operand(0).empty() ? "-" : arguments.operand(0);
    const std::string text = ap::read_file(input, largest_input);
    std::optional<ap::Worktree> worktree;
    if (const auto path = arguments.value("worktree")) {
        worktree.emplace(ap::Worktree::add(choice.directory, *path, {}));
        choice.directory = worktree->path();
    }
    const ap::ApplyReport report = ap::apply_change(text, choice);
    if (worktree && report.status() == ExitStatus::Done && report.applied) {
        worktree->keep();
    }
    tell(arguments, report);
    return report.status();
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, apply);
}
