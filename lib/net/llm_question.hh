#pragma once

#include "domain/llm_budget.hh"
#include "domain/state.hh"
#include "net/llm_call.hh"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace ap {

/// How long ap-llm waits for the next piece of an answer if nobody says.
inline constexpr std::chrono::minutes usual_llm_wait{5};

/// Time limits by which the answer begins, and goes on, within `wait`.
HttpTimeouts llm_timeouts(std::chrono::milliseconds wait);

/// Who can ask models.
class Questioner
{
public:
    virtual ~Questioner() = default;

    /// Asks `prompt.model`, "PROVIDER/MODEL" or a name as LlmProviders::find() takes it
    /// (empty: the default one), and gives the answer's text to `on_text` as it arrives.
    /// What is used is settled whatever happens; an exception of `on_text` goes on after
    /// that. `result` says how the answer ended. Throws Error(BudgetExhausted) if the
    /// budget does not allow the call, Error(Config) for an unknown model, and what
    /// endpoint_of() throws.
    virtual void ask(LlmPrompt prompt,
                     const std::function<void(std::string_view)> &on_text,
                     LlmResult &result) = 0;

    /// The name of the provider that would be asked.
    virtual const std::string &provider_of(const std::string &model) const = 0;

    /// LlmProviders::key_variables().
    virtual std::vector<std::string> key_variables() const = 0;
};

/// Asks the models of the configured providers, within the budget that the environment
/// names (llm_account_from_environment()): the gateway keeps it where the key is one for
/// it, this object where a call goes to a provider itself.
class LlmQuestioner final : public Questioner
{
public:
    /// `state` is called when this object has to keep a budget; `purpose` names the
    /// reservations.
    LlmQuestioner(LlmProviders providers, const HttpTimeouts &timeouts,
                  std::function<State &()> state, std::string purpose);

    void ask(LlmPrompt prompt, const std::function<void(std::string_view)> &on_text,
             LlmResult &result) override;
    const std::string &provider_of(const std::string &model) const override;
    std::vector<std::string> key_variables() const override
    {
        return providers_.key_variables();
    }

private:
    LlmProviders providers_;
    HttpTimeouts timeouts_;
    std::function<State &()> state_;
    std::string purpose_;
    SystemClock clock_;
    PriceList prices_;
};

} // namespace ap
