#include "base/text.hh"
#include "cli/tool.hh"
#include "domain/state.hh"
#include "net/llm_question.hh"
#include "sys/path.hh"

#include <csignal>
#include <cstdio>
#include <memory>

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'m', "model", "MODEL", "the model, or PROVIDER/MODEL (default: the configured one)"},
    {'s', "system", "FILE", "file with the system prompt"},
    {'n', "max-tokens", "N", "tokens of output at most"},
    {'t', "timeout", "D", "longest wait for the next piece of the answer (default 5m)"},
    {'c', "config", "FILE", "providers (default: AUTOPACK_LLM_CONFIG)"},
    {0, "json", "", "print the answer and its usage as one JSON object"},
    {0, "db", "PATH", "database file (default: AUTOPACK_DB or autopack.db)"},
};

constexpr ap::ToolSpec spec = {.name = "ap-llm",
                               .summary = "send a prompt to a model, print its answer",
                               .options = options,
                               .operands = "[FILE...]",
                               .most = SIZE_MAX};

constexpr size_t largest_prompt = size_t{64} << 20;
constexpr int64_t largest_output = 100'000'000;

ap::LlmPrompt read_prompt(const ap::Arguments &arguments)
{
    ap::LlmPrompt prompt;
    prompt.model = arguments.value("model").value_or("");
    std::vector<std::string> files = arguments.operands();
    if (files.empty()) {
        files.emplace_back("-");
    }
    for (const std::string &file : files) {
        prompt.text += ap::read_file(file, largest_prompt);
    }
    if (ap::trim(prompt.text).empty()) {
        throw ap::Error(ExitStatus::BadData, "the prompt is empty");
    }
    if (const auto system = arguments.value("system")) {
        prompt.system = ap::read_file(*system, largest_prompt);
    }
    prompt.max_tokens = arguments.integer("max-tokens", 1, largest_output);
    return prompt;
}

void print_now(std::string_view text)
{
    ap::print(text);
    if (std::fflush(stdout) != 0) {
        ap::throw_errno("cannot write standard output");
    }
}

// Asks with SIGPIPE ignored: a reader that has had enough must not end this process
// before it has settled.
void ask(ap::LlmQuestioner &questioner, const ap::LlmPrompt &prompt,
         const std::function<void(std::string_view)> &on_text, ap::LlmResult &result)
{
    const auto before = std::signal(SIGPIPE, SIG_IGN);
    try {
        questioner.ask(prompt, on_text, result);
    } catch (const ap::SystemError &error) {
        if (error.code() == EPIPE) {
            static_cast<void>(std::signal(SIGPIPE, before));
            static_cast<void>(std::raise(SIGPIPE));
        }
        throw;
    }
}

ExitStatus answer(const ap::Arguments &arguments)
{
    std::unique_ptr<ap::State> state;
    ap::LlmQuestioner questioner(
        ap::LlmProviders::load(arguments.value("config")),
        ap::llm_timeouts(arguments.duration("timeout").value_or(ap::usual_llm_wait)),
        [&]() -> ap::State & {
            state = std::make_unique<ap::State>(ap::state_paths(arguments.value("db")),
                                                ap::State::Access::Write, spec.name);
            return *state;
        },
        std::string(spec.name));
    const ap::LlmPrompt prompt = read_prompt(arguments);
    const std::string provider = questioner.provider_of(prompt.model);
    const bool as_json = arguments.has("json");
    std::string text;
    ap::LlmResult result;
    ask(
        questioner, prompt,
        [&](std::string_view piece) {
            if (as_json) {
                text += piece;
            } else {
                print_now(piece);
            }
        },
        result);
    if (result.failure) {
        throw ap::Error(result.failure->status,
                        provider + ": " + result.failure->message);
    }
    if (as_json) {
        ap::print(ap::llm_result_to_json(result, provider, text).dump() + "\n");
    }
    return ExitStatus::Done;
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, answer);
}
