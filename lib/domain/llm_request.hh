#pragma once

#include "domain/llm_provider.hh"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ap {

/// What a model answered, and what it was told then.
struct LlmTurn
{
    std::string answer;
    std::string reply;
};

/// What is asked of a model.
struct LlmPrompt
{
    std::string model; ///< as the provider knows it
    std::string text;
    std::string system;                ///< empty: none
    std::vector<LlmTurn> turns;        ///< of the conversation since `text`
    std::optional<int64_t> max_tokens; ///< of output; none: what the provider allows
};

/// A request ready to be sent, which asks for a stream that tells its usage.
struct LlmRequest
{
    std::string url;
    std::string target; ///< path and query below the server, to tell its dialect
    std::vector<std::pair<std::string, std::string>> fields; ///< with the key
    std::string body;
};

/// The most output Anthropic is asked for, who wants a number, when the prompt has none.
inline constexpr int64_t anthropic_max_tokens = 8192;

/// Writes the request in the dialect's terms.
LlmRequest make_llm_request(LlmDialect dialect, const LlmEndpoint &endpoint,
                            const LlmPrompt &prompt);

} // namespace ap
