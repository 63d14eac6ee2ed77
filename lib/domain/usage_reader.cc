#include "domain/usage_reader.hh"

#include "domain/budget.hh"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace ap {

namespace {

using Scalar = JsonScanner::Scalar;
using Kind = JsonScanner::Kind;

// A count as far as it is one; null and nonsense say nothing.
std::optional<int64_t> count_of(const Scalar &scalar)
{
    if (scalar.kind != Kind::Number) {
        return std::nullopt;
    }
    double value = 0;
    const auto read = std::from_chars(scalar.text.data(),
                                      scalar.text.data() + scalar.text.size(), value);
    if (read.ec != std::errc() || !(value >= 0)) {
        return std::nullopt;
    }
    return static_cast<int64_t>(
        std::min(std::ceil(value), static_cast<double>(largest_amount)));
}

// Takes a figure. Totals so far only rise: a null or a 0 later does not undo one.
void take(std::optional<int64_t> &figure, const Scalar &scalar)
{
    if (const std::optional<int64_t> count = count_of(scalar)) {
        figure = std::max(figure.value_or(0), *count);
    }
}

bool take_prefix(std::string_view &path, std::string_view prefix)
{
    if (!path.starts_with(prefix)) {
        return false;
    }
    path.remove_prefix(prefix.size());
    return true;
}

} // namespace

UsageReader::UsageReader(Dialect dialect, bool streamed)
    : dialect_(dialect)
    , streamed_(streamed)
{
}

void UsageReader::on_open(std::string_view path, char, uint64_t)
{
    has_choices_ = has_choices_ || path == "choices/*";
}

void UsageReader::on_close(std::string_view path, char, uint64_t)
{
    const bool is_gemini = family_of(dialect_) == "gemini";
    if (is_gemini && (path.empty() || path == "*")) {
        end_event(false); // one chunk of an array is whole, or the one answer
    } else if (!streamed_ && path == "usage") {
        figures_.final = figures_.input && figures_.output;
    }
}

void UsageReader::on_scalar(std::string_view path, const Scalar &scalar)
{
    switch (dialect_) {
    case Dialect::AnthropicMessages:
        anthropic(path, scalar);
        break;
    case Dialect::OpenAiChat:
    case Dialect::OpenAiEmbeddings:
        openai_chat(path, scalar);
        break;
    case Dialect::OpenAiResponses:
        openai_responses(path, scalar);
        break;
    case Dialect::GeminiGenerate:
    case Dialect::GeminiStream:
        gemini(path, scalar);
        break;
    case Dialect::CountTokens:
    case Dialect::Models:
    case Dialect::Other:
        break;
    }
}

void UsageReader::end_event(bool done)
{
    const bool complete = figures_.output && figures_.input;
    switch (dialect_) {
    case Dialect::AnthropicMessages:
        figures_.final = figures_.final || (stopped_ && output_from_end_);
        break;
    case Dialect::OpenAiChat:
        figures_.final =
            figures_.final || (complete && (done || (has_output_ && !has_choices_)));
        break;
    case Dialect::GeminiGenerate:
    case Dialect::GeminiStream:
        figures_.final = figures_.final || (stopped_ && figures_.input);
        break;
    case Dialect::OpenAiResponses:
        figures_.final = figures_.final || complete;
        break;
    case Dialect::OpenAiEmbeddings:
    case Dialect::CountTokens:
    case Dialect::Models:
    case Dialect::Other:
        break;
    }
    has_choices_ = has_output_ = false;
}

void UsageReader::anthropic_usage(std::string_view member, const Scalar &scalar)
{
    if (member == "input_tokens") {
        take(figures_.input, scalar);
    } else if (member == "cache_read_input_tokens") {
        take(figures_.cached, scalar);
    } else if (member == "cache_creation_input_tokens") {
        take(figures_.cache_write, scalar);
    } else if (member == "cache_creation/ephemeral_1h_input_tokens") {
        take(figures_.cache_write_long, scalar);
    } else if (member == "output_tokens") {
        take(figures_.output, scalar);
        has_output_ = true;
    }
}

void UsageReader::anthropic(std::string_view path, const Scalar &scalar)
{
    if (path == "model" || path == "message/model") {
        figures_.model = scalar.text;
    } else if (take_prefix(path, "message/usage/")) {
        anthropic_usage(path, scalar);
    } else if (take_prefix(path, "usage/")) {
        anthropic_usage(path, scalar);
        output_from_end_ = output_from_end_ || (has_output_ && figures_.output);
        figures_.final =
            figures_.final || (!streamed_ && figures_.output && figures_.input);
    } else if (path == "delta/stop_reason") {
        stopped_ = stopped_ || scalar.kind == Kind::String;
    } else if (path == "type") {
        stopped_ = stopped_ || scalar.text == "message_stop";
    } else if (streamed_ && scalar.kind == Kind::String &&
               (path == "delta/text" || path == "delta/partial_json" ||
                path == "delta/thinking")) {
        figures_.visible_bytes += static_cast<int64_t>(scalar.length);
    }
}

void UsageReader::openai_chat(std::string_view path, const Scalar &scalar)
{
    if (path == "model") {
        figures_.model = scalar.text;
    } else if (path == "usage/prompt_tokens") {
        take(figures_.input, scalar);
        if (dialect_ == Dialect::OpenAiEmbeddings) {
            figures_.output = 0;
        }
    } else if (path == "usage/completion_tokens") {
        take(figures_.output, scalar);
        has_output_ = true;
    } else if (path == "usage/total_tokens") {
        take(figures_.total, scalar);
    } else if (path == "usage/prompt_tokens_details/cached_tokens" ||
               path == "usage/prompt_cache_hit_tokens") {
        take(figures_.cached, scalar);
    } else if (path == "usage/completion_tokens_details/reasoning_tokens") {
        take(figures_.reasoning, scalar);
    } else if (streamed_ && scalar.kind == Kind::String &&
               (take_prefix(path, "choices/*/delta/"))) {
        const bool shown = path == "content" || path == "refusal" ||
                           path == "reasoning_content" || path == "reasoning" ||
                           path == "function_call/arguments" ||
                           path == "tool_calls/*/function/name" ||
                           path == "tool_calls/*/function/arguments";
        figures_.visible_bytes += shown ? static_cast<int64_t>(scalar.length) : 0;
    }
    figures_.final = figures_.final || (!streamed_ && figures_.output && figures_.input);
}

void UsageReader::openai_responses(std::string_view path, const Scalar &scalar)
{
    if (streamed_ && path == "delta" && scalar.kind == Kind::String) {
        figures_.visible_bytes += static_cast<int64_t>(scalar.length);
        return;
    }
    if (streamed_ && !take_prefix(path, "response/")) {
        return;
    }
    if (path == "model") {
        figures_.model = scalar.text;
    } else if (path == "usage/input_tokens") {
        take(figures_.input, scalar);
    } else if (path == "usage/input_tokens_details/cached_tokens") {
        take(figures_.cached, scalar);
    } else if (path == "usage/output_tokens") {
        take(figures_.output, scalar);
    } else if (path == "usage/output_tokens_details/reasoning_tokens") {
        take(figures_.reasoning, scalar);
    }
    figures_.final = figures_.final || (!streamed_ && figures_.output && figures_.input);
}

void UsageReader::gemini(std::string_view path, const Scalar &scalar)
{
    take_prefix(path, "*/"); // without ?alt=sse a stream is an array of chunks
    if (path == "modelVersion") {
        figures_.model = scalar.text;
    } else if (take_prefix(path, "usageMetadata/")) {
        if (path == "promptTokenCount") {
            take(figures_.input, scalar);
        } else if (path == "toolUsePromptTokenCount") {
            take(figures_.tool_input, scalar);
        } else if (path == "cachedContentTokenCount") {
            take(figures_.cached, scalar);
        } else if (path == "candidatesTokenCount") {
            take(figures_.output, scalar);
        } else if (path == "thoughtsTokenCount") {
            take(figures_.reasoning, scalar);
        } else if (path == "totalTokenCount") {
            take(figures_.total, scalar);
        }
    } else if (path == "candidates/*/finishReason" ||
               path == "promptFeedback/blockReason") {
        stopped_ = true;
    } else if (streamed_ && path == "candidates/*/content/parts/*/text" &&
               scalar.kind == Kind::String) {
        figures_.visible_bytes += static_cast<int64_t>(scalar.length);
    }
}

} // namespace ap
