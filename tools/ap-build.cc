#include "base/text.hh"
#include "cli/tool.hh"
#include "domain/llm_budget.hh"
#include "net/builder.hh"

#include <cstdio>

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'r', "run-id", "RUN", "the run (default: AUTOPACK_RUN_ID)"},
    {'p', "phase", "PHASE", "the phase (default: AUTOPACK_PHASE_ID)"},
    {'M', "merge", "", "merge what the run built, as the phase says"},
    {0, "models", "FILE", "table of models (default: AUTOPACK_MODELS)"},
    {0, "config", "FILE", "providers (default: AUTOPACK_LLM_CONFIG)"},
    {0, "db", "PATH", "database file (default: AUTOPACK_DB or autopack.db)"},
};

constexpr ap::ToolSpec spec = {.name = "ap-build",
                               .summary = "reach a phase's goal by a governed change",
                               .options = options};

ap::LlmAccount account_of(const ap::Arguments &arguments)
{
    ap::LlmAccount account =
        ap::llm_account_from_environment().value_or(ap::LlmAccount());
    account.run_id = arguments.value("run-id").value_or(account.run_id);
    account.phase_id = arguments.value("phase").value_or(account.phase_id);
    if (account.run_id.empty() || account.phase_id.empty()) {
        throw ap::UsageError("--run-id and --phase are required outside of a phase");
    }
    return account;
}

// No attempt of the phase helps against these.
bool is_final(ExitStatus status)
{
    return status == ExitStatus::BudgetExhausted || status == ExitStatus::Config ||
           status == ExitStatus::NoPermission || status == ExitStatus::NoInput ||
           status == ExitStatus::BadData;
}

void tell(const std::string &line)
{
    ap::print(line + "\n");
    static_cast<void>(std::fflush(stdout)); // for those who watch
}

ap::BuilderResult work(const ap::Arguments &arguments, ap::State &state,
                       const ap::LlmAccount &account)
{
    const ap::PhaseSpec phase =
        ap::stored_phase(state.database(), account.run_id, account.phase_id);
    if (arguments.has("merge")) {
        if (!phase.merge) {
            throw ap::Error(ExitStatus::BadData,
                            "phase '" + phase.id + "' does not merge");
        }
        return ap::merge_builds(state, account.run_id, phase);
    }
    const ap::SystemClock clock;
    const ap::ModelTable models = ap::ModelTable::load(arguments.value("models"));
    ap::LlmQuestioner questioner(
        ap::LlmProviders::load(arguments.value("config")),
        ap::llm_timeouts(phase.idle_timeout.value_or(ap::usual_llm_wait)),
        [&]() -> ap::State & { return state; }, std::string(spec.name));
    return ap::Builder(
               state, questioner, models,
               {account.run_id, account.phase_id, account.attempt.value_or(0), tell},
               clock)
        .run();
}

ExitStatus build(const ap::Arguments &arguments)
{
    const ap::LlmAccount account = account_of(arguments);
    ap::State state(ap::state_paths(arguments.value("db")), ap::State::Access::Write,
                    spec.name);
    const auto give_verdict = [&](const ap::BuildVerdict &verdict) {
        if (account.attempt) {
            ap::write_build_verdict(state.paths().attempt_directory(account.run_id,
                                                                    account.phase_id,
                                                                    *account.attempt),
                                    verdict);
        }
    };
    try {
        const ap::BuilderResult result = work(arguments, state, account);
        if (result.status == ExitStatus::Done) {
            ap::print(result.verdict.reason + "\n");
        } else {
            give_verdict(result.verdict);
            ap::warn(result.verdict.reason);
        }
        return result.status;
    } catch (const ap::Error &error) {
        give_verdict(
            {is_final(error.status()) ? ap::PhaseNext::Fail : ap::PhaseNext::Retry,
             error.what(), std::nullopt});
        throw;
    }
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, build);
}
