#include "base/text.hh"
#include "cli/tool.hh"
#include "domain/build_spec.hh"
#include "net/auditor.hh"
#include "sys/path.hh"

#include <memory>

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'g', "goal", "TEXT", "what the change is for (required)"},
    {'a', "accept", "TEXT", "a criterion it must meet; may be repeated"},
    {'e', "evidence", "FILE", "what the checks said"},
    {'m', "model", "MODEL", "the auditor (default: by the table of models)"},
    {'c', "complexity", "LEVEL", "low, medium or high, for the table (default medium)"},
    {'k', "category", "NAME", "of the change, for the table (default general)"},
    {'s', "strict", "", "a minor issue is status 1, too"},
    {0, "models", "FILE", "table of models (default: AUTOPACK_MODELS)"},
    {0, "config", "FILE", "providers (default: AUTOPACK_LLM_CONFIG)"},
    {0, "json", "", "print the judgement as one JSON object"},
    {0, "db", "PATH", "database file (default: AUTOPACK_DB or autopack.db)"},
};

constexpr ap::ToolSpec spec = {.name = "ap-audit",
                               .summary = "have a second model judge a change",
                               .options = options,
                               .operands = "[FILE]",
                               .most = 1};

constexpr size_t largest_input = size_t{16} << 20;

ap::AuditMatter read_matter(const ap::Arguments &arguments)
{
    ap::AuditMatter matter;
    matter.goal = arguments.value("goal").value_or("");
    if (ap::trim(matter.goal).empty()) {
        throw ap::UsageError("--goal is required");
    }
    matter.acceptance = arguments.values("accept");
    const std::string file = arguments.operand(0);
    matter.diff = ap::read_file(file.empty() ? "-" : file, largest_input);
    if (ap::trim(matter.diff).empty()) {
        throw ap::Error(ExitStatus::BadData, "the change is empty");
    }
    if (const auto evidence = arguments.value("evidence")) {
        matter.evidence = ap::read_file(*evidence, largest_input);
    }
    return matter;
}

ap::ModelChoice choose_model(const ap::Arguments &arguments)
{
    const std::string level = arguments.value("complexity").value_or("medium");
    const auto complexity = ap::complexity_from(level);
    if (!complexity) {
        throw ap::UsageError("--complexity: expected low, medium or high, got '" +
                             ap::printable(level) + "'");
    }
    ap::ModelChoice choice =
        ap::ModelTable::load(arguments.value("models"))
            .choose(ap::ModelRole::Auditor,
                    arguments.value("category").value_or("general"), *complexity, 0);
    choice.model = arguments.value("model").value_or(choice.model);
    return choice;
}

ExitStatus audit(const ap::Arguments &arguments)
{
    const ap::AuditOrder order{read_matter(arguments), choose_model(arguments)};
    const ap::StatePaths paths = ap::state_paths(arguments.value("db"));
    std::unique_ptr<ap::State> state;
    ap::LlmQuestioner questioner(
        ap::LlmProviders::load(arguments.value("config")),
        ap::llm_timeouts(ap::usual_llm_wait),
        [&]() -> ap::State & {
            state =
                std::make_unique<ap::State>(paths, ap::State::Access::Write, spec.name);
            return *state;
        },
        std::string(spec.name));
    std::optional<ap::AuditAccount> account;
    if (const auto phase = ap::llm_account_from_environment()) {
        account = ap::audit_account(paths, phase->run_id, phase->phase_id);
    }
    const ap::AuditResult result =
        ap::make_audit(questioner, order, account ? &*account : nullptr);
    if (arguments.has("json")) {
        ap::Json json = ap::audit_to_json(result.audit);
        json.set("model", result.model).set("tokens", result.tokens);
        ap::print(json.dump() + "\n");
    } else {
        ap::print(std::string(ap::audit_verdict_name(result.audit.verdict)) + "\n" +
                  ap::audit_to_text(result.audit));
    }
    const auto worst =
        arguments.has("strict") ? ap::AuditVerdict::Approve : ap::AuditVerdict::Minor;
    return result.audit.verdict <= worst ? ExitStatus::Done : ExitStatus::Failed;
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, audit);
}
