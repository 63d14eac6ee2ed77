#include "base/text.hh"
#include "cli/tool.hh"
#include "domain/answer_text.hh"
#include "domain/build_branch.hh"
#include "domain/context.hh"
#include "net/planner.hh"
#include "sys/path.hh"

#include <memory>

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'r', "run-id", "ID", "id of the run (default: from the words of the goal)"},
    {'C', "directory", "DIR", "the repository (default: .)"},
    {'s', "show", "FILE", "show the planner this file, too; may be repeated"},
    {'m', "model", "MODEL", "the planner (default: by the table of models)"},
    {0, "models", "FILE", "table of models (default: AUTOPACK_MODELS)"},
    {0, "config", "FILE", "providers (default: AUTOPACK_LLM_CONFIG)"},
    {0, "db", "PATH", "database file (default: AUTOPACK_DB or autopack.db)"},
};

constexpr ap::ToolSpec spec = {.name = "ap-plan",
                               .summary = "have a model write a plan for a goal",
                               .options = options,
                               .operands = "[GOAL]",
                               .most = 1};

constexpr size_t largest_input = size_t{4} << 20;

std::string read_goal(const ap::Arguments &arguments)
{
    std::string goal = arguments.operand(0);
    if (goal.empty()) {
        goal = ap::read_file("-", largest_input);
    }
    if (ap::trim(goal).empty()) {
        throw ap::Error(ExitStatus::BadData, "the goal is empty");
    }
    return std::string(ap::trim(goal));
}

ap::ModelChoice choose_model(const ap::Arguments &arguments)
{
    ap::ModelChoice choice =
        ap::ModelTable::load(arguments.value("models"))
            .choose(ap::ModelRole::Planner, "general", ap::Complexity::Medium, 0);
    choice.model = arguments.value("model").value_or(choice.model);
    return choice;
}

// The repository's map, its learned rules and documents.
std::string map_of(const std::string &directory, const std::string &goal, int64_t budget)
{
    ap::ContextRequest request;
    request.directory = ap::repository_top(directory);
    request.goal = goal;
    request.budget = budget;
    const ap::Context context = ap::choose_context(request);
    if (!context.warning.empty()) {
        ap::warn(context.warning);
    }
    return context.text;
}

ExitStatus plan(const ap::Arguments &arguments)
{
    ap::PlanMatter matter;
    matter.goal = read_goal(arguments);
    matter.run_id = arguments.value("run-id").value_or(ap::run_id_from(matter.goal));
    if (!ap::is_identifier(matter.run_id)) {
        throw ap::UsageError(
            "--run-id: expected letters, digits, '.', '_' and '-', got '" +
            ap::printable(matter.run_id) + "'");
    }
    const ap::ModelChoice model = choose_model(arguments);
    matter.repository = map_of(arguments.value("directory").value_or("."), matter.goal,
                               model.context_tokens);
    for (const std::string &file : arguments.values("show")) {
        matter.repository +=
            "\n" + file + "\n" + ap::fenced(ap::read_file(file, largest_input));
    }
    std::unique_ptr<ap::State> state;
    ap::LlmQuestioner questioner(
        ap::LlmProviders::load(arguments.value("config")),
        ap::llm_timeouts(ap::usual_llm_wait),
        [&]() -> ap::State & {
            state = std::make_unique<ap::State>(ap::state_paths(arguments.value("db")),
                                                ap::State::Access::Write, spec.name);
            return *state;
        },
        std::string(spec.name));
    ap::print(ap::write_plan(questioner, matter, model).dump_pretty());
    return ExitStatus::Done;
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, plan);
}
