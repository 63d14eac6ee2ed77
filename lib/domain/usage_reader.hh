#pragma once

#include "base/json_scanner.hh"
#include "domain/dialect.hh"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ap {

/// What the provider has said of a call's usage, each figure as it stood last: every
/// dialect's figures are totals so far, never differences.
struct UsageFigures
{
    std::optional<int64_t> input; ///< Anthropic: without what a cache was involved in
    std::optional<int64_t> cached;
    std::optional<int64_t> cache_write;
    std::optional<int64_t> cache_write_long;
    std::optional<int64_t> tool_input; ///< Gemini: input from tools, beside `input`
    std::optional<int64_t> output;
    std::optional<int64_t> reasoning;
    std::optional<int64_t> total;
    std::string model;
    int64_t visible_bytes = 0; ///< of the answer's text that was streamed
    bool final = false;        ///< the figures are the last ones
};

/// Reads the figures out of the JSON of an answer or of a stream's events, by dialect.
///
/// Anthropic: message_start has the input (in `message.usage`), message_delta the output
/// and again the input; there may be several, the last one has a stop reason. OpenAI
/// chat: a chunk without choices before [DONE] (some servers: every chunk). OpenAI
/// responses: in `response.usage` of response.completed, .incomplete or .failed. Gemini:
/// usageMetadata in every chunk, the last one has a finish reason; an array of chunks
/// without ?alt=sse.
class UsageReader final : public JsonScanner::Handler
{
public:
    /// `streamed`: what is read are events, not one whole answer.
    UsageReader(Dialect dialect, bool streamed);

    void on_scalar(std::string_view path, const JsonScanner::Scalar &scalar) override;
    void on_open(std::string_view path, char kind, uint64_t offset) override;
    void on_close(std::string_view path, char kind, uint64_t offset) override;

    /// An event of a stream is complete; `done` if it was "[DONE]".
    void end_event(bool done);

    const UsageFigures &figures() const noexcept { return figures_; }

private:
    Dialect dialect_;
    bool streamed_;
    UsageFigures figures_;
    bool has_choices_ = false;     ///< this event has
    bool has_output_ = false;      ///< this event says the output
    bool stopped_ = false;         ///< the reason for the end was given
    bool output_from_end_ = false; ///< Anthropic: the output is not message_start's

    void anthropic(std::string_view path, const JsonScanner::Scalar &scalar);
    void openai_chat(std::string_view path, const JsonScanner::Scalar &scalar);
    void openai_responses(std::string_view path, const JsonScanner::Scalar &scalar);
    void gemini(std::string_view path, const JsonScanner::Scalar &scalar);
    void anthropic_usage(std::string_view member, const JsonScanner::Scalar &scalar);
};

} // namespace ap
