#include "base/error.hh"
#include "base/text.hh"
#include "cli/table.hh"
#include "cli/tool.hh"
#include "domain/context.hh"
#include "sys/path.hh"

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'C', "directory", "DIR", "the repository (default: .)"},
    {'g', "goal", "TEXT", "what is to be done: its words count"},
    {'G', "goal-file", "FILE", "the same from a file"},
    {'s', "scope", "GLOB", "files that may be changed; may be repeated"},
    {'r', "read", "GLOB", "files to read only; may be repeated"},
    {'t', "tests", "GLOB", "tests (default: those of the scope)"},
    {'b', "budget", "N", "tokens at most (default: 100000)"},
    {'w', "why", "", "print what was chosen and why, not the text"},
    {0, "json", "", "print both as JSON"},
};

constexpr ap::ToolSpec spec = {.name = "ap-context",
                               .summary = "choose what a builder sees of a repository",
                               .options = options};

constexpr size_t largest_goal = 1 << 20;
constexpr int64_t most_tokens = 100'000'000;

ap::ContextRequest request_from(const ap::Arguments &arguments)
{
    ap::ContextRequest request;
    request.directory = arguments.value("directory").value_or(".");
    request.goal = arguments.value("goal").value_or("");
    if (const auto file = arguments.value("goal-file")) {
        request.goal += "\n" + ap::read_file(*file, largest_goal);
    }
    request.scope = arguments.values("scope");
    request.read = arguments.values("read");
    request.tests = arguments.values("tests");
    request.budget = arguments.integer("budget", 1, most_tokens).value_or(request.budget);
    return request;
}

void print_why(const ap::Context &context)
{
    ap::Table table({"SCORE", "TOKENS", "KIND", "IN", "PATH", "WHY"});
    for (const ap::ContextItem &item : context.items) {
        table.add({std::to_string(item.score), std::to_string(item.tokens), item.kind,
                   item.included ? "yes" : "no", ap::printable(item.path), item.why});
    }
    ap::print(table.text());
}

ExitStatus choose(const ap::Arguments &arguments)
{
    const ap::Context context = ap::choose_context(request_from(arguments));
    if (!context.warning.empty()) {
        ap::warn(context.warning);
    }
    if (arguments.has("json")) {
        ap::print(ap::context_to_json(context).dump() + "\n");
    } else if (arguments.has("why")) {
        print_why(context);
    } else {
        ap::print(context.text);
    }
    return ExitStatus::Done;
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, choose);
}
