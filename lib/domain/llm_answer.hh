#pragma once

#include "base/exit_status.hh"
#include "domain/llm_provider.hh"
#include "domain/sse_splitter.hh"

#include <optional>
#include <string>
#include <string_view>

namespace ap {

/// Reads the text out of a model's streamed answer, in pieces of any size. Keeps one
/// event at a time; one of more than 4 MiB is passed over.
class LlmAnswer : private SseSplitter::Handler
{
public:
    explicit LlmAnswer(LlmDialect dialect)
        : dialect_(dialect)
    {
    }

    /// Takes the next piece of the body and returns the text that became complete.
    std::string feed(std::string_view piece);

    /// Why the model stopped, in the provider's word ("end_turn", "length", ...); empty
    /// as long as it has not said.
    const std::string &stop_reason() const noexcept { return stop_reason_; }

    /// The model's name and the answer's, as the provider tells them.
    const std::string &model() const noexcept { return model_; }
    const std::string &id() const noexcept { return id_; }

    /// The message of an error that came in the stream; empty without one.
    const std::string &error() const noexcept { return error_; }

private:
    void on_data(std::string_view piece) override;
    void on_event(uint64_t end) override;
    void read_event(const Json &event);
    void read_anthropic(const Json &event);
    void read_openai(const Json &event);
    void read_gemini(const Json &event);

    LlmDialect dialect_;
    SseSplitter splitter_;
    std::string data_;
    bool too_long_ = false;
    std::string text_; ///< found in this call of feed()
    std::string stop_reason_;
    std::string model_;
    std::string id_;
    std::string error_;
};

/// What an answer other than 200 means: the status to exit with and a line for people.
struct LlmFailure
{
    ExitStatus status = ExitStatus::Unavailable;
    std::string message;
};

/// Reads a refusal of a provider or of the gateway, which says in the field
/// `autopack-refusal` (`refusal`; empty without one) why it refused by itself.
LlmFailure read_llm_failure(int status, std::string_view refusal, std::string_view body);

} // namespace ap
