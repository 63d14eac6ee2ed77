#pragma once

#include "domain/llm_answer.hh"
#include "domain/llm_request.hh"
#include "domain/usage_meter.hh"
#include "net/llm_breaker.hh"
#include "wrap/http_client.hh"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace ap {

/// What a call to a model came to.
struct LlmResult
{
    MeteredUsage usage; ///< estimated if the answer did not come to its end
    std::optional<LlmFailure> failure; ///< nothing: the whole answer came
    int64_t visible_bytes = 0;         ///< of the answer's text
    bool answered = false; ///< the provider took the call, or may have: tokens were used
    std::string stop_reason; ///< in the provider's word
    std::string model;       ///< as the provider names it
    std::string id;          ///< of the answer, as the provider names it
};

/// The result as ap-llm --json prints it, with the answer's text.
Json llm_result_to_json(const LlmResult &result, std::string_view provider,
                        std::string_view text);

/// What limits a call, and what it is worth if it tells no usage.
struct LlmBounds
{
    int64_t input = 0;          ///< tokens, at most
    int64_t output = 0;         ///< tokens, at most
    bool hidden_output = false; ///< not all output shows in the stream
    CallRatios ratios{};        ///< of the model's last calls, for one that is cut off
    HttpTimeouts timeouts{};
    LlmRetry retry{.attempts = 1};
};

/// Sends `request` and gives the answer's text to `on_text` as it arrives. A call that
/// cannot have been worked on (no connection could be made, or it was refused with 429,
/// 503 or 529) is made again as `bounds` say, after what a Retry-After asks for.
/// `breaker` (null: none) is asked before and told after each try. SIGINT and SIGTERM cut
/// the answer off (failure: Stopped), as does an exception from `on_text`: the result is
/// kept in `result` before it is thrown on, so that what was used can be recorded.
void call_llm(LlmDialect dialect, const LlmRequest &request, const LlmBounds &bounds,
              const std::function<void(std::string_view)> &on_text, LlmResult &result,
              LlmBreaker *breaker = nullptr);

} // namespace ap
