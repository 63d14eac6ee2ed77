#include "domain/llm_answer.hh"

#include "base/text.hh"

#include <utility>

namespace ap {

namespace {

constexpr size_t longest_event = 4 << 20;
constexpr size_t longest_message = 500;

// The text parts of Gemini's candidate, less the model's thoughts.
std::string candidate_text(const Json &candidate)
{
    std::string text;
    const Json parts = candidate.get("content").get("parts");
    for (size_t i = 0; i < parts.size(); i++) {
        if (parts.at(i).get_boolean("thought") != true) {
            text += parts.at(i).get_string("text").value_or("");
        }
    }
    return text;
}

ExitStatus status_of(int status)
{
    switch (status) {
    case 401:
    case 403:
        return ExitStatus::NoPermission;
    case 402:
        return ExitStatus::BudgetExhausted;
    case 408:
    case 409:
    case 425:
    case 429:
        return ExitStatus::TryAgain;
    default:
        return status >= 400 && status < 500 ? ExitStatus::BadData
                                             : ExitStatus::Unavailable;
    }
}

} // namespace

std::string LlmAnswer::feed(std::string_view piece)
{
    splitter_.feed(piece, *this);
    return std::exchange(text_, {});
}

void LlmAnswer::on_data(std::string_view piece)
{
    too_long_ = too_long_ || data_.size() + piece.size() > longest_event;
    if (too_long_) {
        data_.clear();
    } else {
        data_ += piece;
    }
}

void LlmAnswer::on_event(uint64_t)
{
    if (const auto event = too_long_ ? std::nullopt : Json::try_parse(data_)) {
        read_event(*event);
    }
    data_.clear();
    too_long_ = false;
}

void LlmAnswer::read_event(const Json &event)
{
    if (const Json error = event.get("error"); error.is_object()) {
        error_ = error.get_string("message").value_or("the provider reports an error");
    }
    switch (dialect_) {
    case LlmDialect::Anthropic:
        read_anthropic(event);
        break;
    case LlmDialect::OpenAi:
        read_openai(event);
        break;
    case LlmDialect::Gemini:
        read_gemini(event);
        break;
    }
}

void LlmAnswer::read_anthropic(const Json &event)
{
    const std::string type = event.get_string("type").value_or("");
    const Json delta = event.get("delta");
    if (type == "message_start") {
        model_ = event.get("message").get_string("model").value_or("");
        id_ = event.get("message").get_string("id").value_or("");
    } else if (type == "content_block_delta") {
        text_ += delta.get_string("text").value_or("");
    } else if (type == "message_delta") {
        stop_reason_ = delta.get_string("stop_reason").value_or(stop_reason_);
    }
}

void LlmAnswer::read_openai(const Json &event)
{
    model_ = event.get_string("model").value_or(model_);
    id_ = event.get_string("id").value_or(id_);
    const Json choice = event.get("choices").at(0);
    text_ += choice.get("delta").get_string("content").value_or("");
    stop_reason_ = choice.get_string("finish_reason").value_or(stop_reason_);
}

void LlmAnswer::read_gemini(const Json &event)
{
    model_ = event.get_string("modelVersion").value_or(model_);
    id_ = event.get_string("responseId").value_or(id_);
    const Json candidate = event.get("candidates").at(0);
    text_ += candidate_text(candidate);
    stop_reason_ = candidate.get_string("finishReason").value_or(stop_reason_);
}

LlmFailure read_llm_failure(int status, std::string_view refusal, std::string_view body)
{
    const auto json = Json::try_parse(body);
    const Json error = json ? json->get("error") : Json();
    const std::string said = error.get_string("message").value_or(std::string(body));
    LlmFailure failure{status_of(status), "status " + std::to_string(status) + ": " +
                                              printable(said, longest_message)};
    const std::string code = error.get_string("code").value_or("");
    if (refusal == "budget" || code == "insufficient_quota") {
        failure.status = ExitStatus::BudgetExhausted;
    } else if (refusal == "breaker") {
        failure.status = ExitStatus::BreakerOpen;
    }
    return failure;
}

} // namespace ap
