#pragma once

#include "check.hh"

#include "base/error.hh"
#include "net/llm_question.hh"

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace check {

/// What a model says, or why it does not.
struct Answer
{
    std::string text;
    std::string stop_reason = "stop";
    std::optional<ap::LlmFailure> failure{};
    std::function<void()> meanwhile{}; ///< done before it is given
};

/// Gives answers in their order, each of 10 tokens of input and 5 of output, whoever is
/// asked, and remembers what was asked. Without one more, the budget is spent.
class ScriptedQuestioner final : public ap::Questioner
{
public:
    explicit ScriptedQuestioner(std::deque<Answer> answers)
        : answers_(std::move(answers))
    {
    }

    void ask(ap::LlmPrompt prompt, const std::function<void(std::string_view)> &on_text,
             ap::LlmResult &result) override
    {
        if (answers_.empty()) {
            throw ap::Error(ap::ExitStatus::BudgetExhausted, "no answer left");
        }
        const Answer answer = std::move(answers_.front());
        answers_.pop_front();
        result.model = prompt.model;
        asked.push_back(std::move(prompt));
        if (answer.meanwhile) {
            answer.meanwhile();
        }
        result.failure = answer.failure;
        if (!answer.failure) {
            // In two pieces, as it would stream.
            on_text(std::string_view(answer.text).substr(0, answer.text.size() / 2));
            on_text(std::string_view(answer.text).substr(answer.text.size() / 2));
            result.answered = true;
            result.stop_reason = answer.stop_reason;
            result.usage.usage.prompt_tokens = 10;
            result.usage.usage.completion_tokens = 5;
        }
    }
    const std::string &provider_of(const std::string &) const override { return name_; }
    std::vector<std::string> key_variables() const override { return {"SCRIPTED_KEY"}; }

    std::vector<ap::LlmPrompt> asked;

private:
    std::deque<Answer> answers_;
    std::string name_ = "scripted";
};

inline bool contains(std::string_view text, std::string_view words)
{
    return text.find(words) != std::string_view::npos;
}

} // namespace check
