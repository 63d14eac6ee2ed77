#include "net/llm_question.hh"

#include "domain/call_estimate.hh"
#include "domain/usage_ratios.hh"
#include "net/gate_forward.hh"

namespace ap {

namespace {

constexpr int64_t largest_output = 100'000'000;

std::optional<std::string> name_of(const std::string &model)
{
    return model.empty() ? std::nullopt : std::optional<std::string>(model);
}

void settle(LlmBudget &budget, const LlmModel &model, const LlmResult &result)
{
    Usage usage = result.answered ? result.usage.usage : Usage();
    usage.provider = model.provider->name;
    usage.model = usage.model.empty() ? model.name : usage.model;
    budget.settle(std::move(usage), result.usage.cache_write_long);
}

CallSample call_sample(const LlmBounds &bounds, const LlmResult &result)
{
    const Usage &usage = result.usage.usage;
    return ap::sample_of(bounds.input, usage.prompt_tokens,
                         {usage.completion_tokens, usage.reasoning_tokens,
                          result.visible_bytes, true, bounds.hidden_output});
}

} // namespace

HttpTimeouts llm_timeouts(std::chrono::milliseconds wait)
{
    HttpTimeouts timeouts;
    timeouts.first_byte = wait;
    timeouts.idle = wait;
    return timeouts;
}

LlmQuestioner::LlmQuestioner(LlmProviders providers, const HttpTimeouts &timeouts,
                             std::function<State &()> state, std::string purpose)
    : providers_(std::move(providers))
    , timeouts_(timeouts)
    , state_(std::move(state))
    , purpose_(std::move(purpose))
    , prices_(installed_prices())
{
}

void LlmQuestioner::ask(LlmPrompt prompt,
                        const std::function<void(std::string_view)> &on_text,
                        LlmResult &result)
{
    const LlmModel model = providers_.find(name_of(prompt.model));
    const LlmDialect dialect = model.provider->dialect;
    const LlmEndpoint endpoint = endpoint_of(*model.provider);
    prompt.model = model.name;
    LlmRequest request = make_llm_request(dialect, endpoint, prompt);
    const Route route = route_of("POST", request.target);
    const CallEstimate estimate = estimate_call(route, request.body);
    LlmBounds bounds;
    bounds.input = estimate.input_bound;
    bounds.output = prompt.max_tokens.value_or(largest_output);
    bounds.hidden_output = estimate.hidden_output;
    bounds.timeouts = timeouts_;
    std::optional<LlmBudget> budget;
    std::optional<LlmBreaker> breaker;
    auto account = llm_account_from_environment();
    if (account && !endpoint.gateway) {
        account->purpose = purpose_;
        account->provider = model.provider->name;
        Sqlite &database = state_().database();
        budget.emplace(database, std::move(*account), prices_, clock_);
        bounds.output =
            budget->reserve(model.name, estimate.input_bound, prompt.max_tokens);
        prompt.max_tokens = bounds.output;
        request = make_llm_request(dialect, endpoint, prompt);
        bounds.ratios = UsageRatios::stored(database, route.dialect, model.name);
        breaker.emplace(database, llm_breaker_name(model.provider->name, model.name),
                        clock_);
    }
    if (!endpoint.gateway) { // which tries again by itself
        bounds.retry = model.provider->retry;
    }
    try {
        call_llm(dialect, request, bounds, on_text, result,
                 breaker ? &*breaker : nullptr);
    } catch (...) {
        if (budget) {
            settle(*budget, model, result);
        }
        throw;
    }
    if (budget) {
        settle(*budget, model, result);
        if (result.answered && !result.usage.usage.estimated) {
            UsageRatios::learn(state_().database(), route.dialect, model.name,
                               call_sample(bounds, result));
        }
    }
}

const std::string &LlmQuestioner::provider_of(const std::string &model) const
{
    return providers_.find(name_of(model)).provider->name;
}

} // namespace ap
