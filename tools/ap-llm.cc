#include "base/text.hh"
#include "cli/tool.hh"
#include "domain/call_estimate.hh"
#include "domain/llm_budget.hh"
#include "domain/state.hh"
#include "net/llm_call.hh"
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

ap::LlmPrompt read_prompt(const ap::Arguments &arguments, const std::string &model)
{
    ap::LlmPrompt prompt;
    prompt.model = model;
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

ap::HttpTimeouts timeouts_of(const ap::Arguments &arguments)
{
    const auto wait = ap::parse_duration(arguments.value("timeout").value_or("5m"));
    if (!wait) {
        throw ap::UsageError("--timeout: expected a duration such as 90s, got '" +
                             ap::printable(*arguments.value("timeout")) + "'");
    }
    ap::HttpTimeouts timeouts;
    timeouts.first_byte = *wait;
    timeouts.idle = *wait;
    return timeouts;
}

void print_now(std::string_view text)
{
    ap::print(text);
    if (std::fflush(stdout) != 0) {
        ap::throw_errno("cannot write standard output");
    }
}

// A call to a provider itself, with a real key: nobody else keeps the run's budget.
struct OwnBudget
{
    OwnBudget(const std::optional<std::string> &database, ap::LlmAccount account)
        : state(ap::state_paths(database), ap::State::Access::Write, "ap-llm")
        , prices(ap::installed_prices())
        , budget(state.database(), std::move(account), prices, clock)
    {
    }

    ap::SystemClock clock;
    ap::State state;
    ap::PriceList prices;
    ap::LlmBudget budget;
};

// One prompt on its way to a model.
class Question
{
public:
    explicit Question(const ap::Arguments &arguments)
        : arguments_(arguments)
        , providers_(ap::LlmProviders::load(arguments.value("config")))
        , model_(providers_.find(arguments.value("model")))
        , endpoint_(ap::endpoint_of(*model_.provider))
        , prompt_(read_prompt(arguments, model_.name))
    {
    }

    ExitStatus ask()
    {
        prepare();
        // A reader that has had enough must not end this process before it has settled.
        const auto before = std::signal(SIGPIPE, SIG_IGN);
        try {
            ap::call_llm(
                model_.provider->dialect, request_, bounds_,
                [this](std::string_view piece) { take(piece); }, result_);
        } catch (const ap::SystemError &error) {
            settle();
            if (error.code() == EPIPE) {
                static_cast<void>(std::signal(SIGPIPE, before));
                static_cast<void>(std::raise(SIGPIPE));
            }
            throw;
        }
        settle();
        return tell();
    }

private:
    void prepare()
    {
        const ap::LlmDialect dialect = model_.provider->dialect;
        request_ = ap::make_llm_request(dialect, endpoint_, prompt_);
        const ap::CallEstimate estimate =
            ap::estimate_call(ap::route_of("POST", request_.target), request_.body);
        bounds_ = {estimate.input_bound, prompt_.max_tokens.value_or(largest_output),
                   estimate.hidden_output, timeouts_of(arguments_)};
        auto account = ap::llm_account_from_environment();
        if (endpoint_.gateway || !account) {
            return;
        }
        own_ = std::make_unique<OwnBudget>(arguments_.value("db"), std::move(*account));
        bounds_.output =
            own_->budget.reserve(prompt_.model, estimate.input_bound, prompt_.max_tokens);
        prompt_.max_tokens = bounds_.output;
        request_ = ap::make_llm_request(dialect, endpoint_, prompt_);
    }

    void take(std::string_view piece)
    {
        if (arguments_.has("json")) {
            text_ += piece;
        } else {
            print_now(piece);
        }
    }

    void settle()
    {
        if (!own_) {
            return;
        }
        ap::Usage usage = result_.answered ? result_.usage.usage : ap::Usage();
        usage.provider = model_.provider->name;
        usage.model = usage.model.empty() ? model_.name : usage.model;
        own_->budget.settle(std::move(usage), result_.usage.cache_write_long);
    }

    ExitStatus tell() const
    {
        const std::string &provider = model_.provider->name;
        if (result_.failure) {
            throw ap::Error(result_.failure->status,
                            provider + ": " + result_.failure->message);
        }
        if (arguments_.has("json")) {
            ap::print(ap::llm_result_to_json(result_, provider, text_).dump() + "\n");
        }
        return ExitStatus::Done;
    }

    const ap::Arguments &arguments_;
    ap::LlmProviders providers_;
    ap::LlmModel model_;
    ap::LlmEndpoint endpoint_;
    ap::LlmPrompt prompt_;
    ap::LlmRequest request_;
    ap::LlmBounds bounds_;
    std::unique_ptr<OwnBudget> own_;
    std::string text_;
    ap::LlmResult result_;
};

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, [](const ap::Arguments &arguments) {
        return Question(arguments).ask();
    });
}
