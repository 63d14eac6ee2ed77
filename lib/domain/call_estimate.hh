#pragma once

#include "domain/dialect.hh"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// How input is bounded from above. Byte-level BPE makes at least one byte of text into
/// each token, so the bytes of the body, strings decoded and blanks left out, bound what
/// its text can be; the constants are for what the provider adds around it. Not bounded
/// is what a provider's own tools (web search) bring in while it answers.
struct EstimateRules
{
    int64_t per_call = 64;        ///< priming, formatting
    int64_t per_message = 16;     ///< role and separators of each message, part or item
    int64_t per_tool = 64;        ///< rendering of each tool definition
    int64_t builtin_tool = 1'500; ///< a tool that the provider describes itself
    int64_t tools_prompt = 600;   ///< hidden instructions once any tool is there
    /// Images and files as base64 are no text: a string above `media_bytes` bytes that
    /// holds only base64 characters, or starts with "data:", counts as its bytes /
    /// media_divisor, at least media_least, and so does each image by reference.
    size_t media_bytes = 1024;
    int64_t media_divisor = 32;
    int64_t media_least = 5'000;
    int64_t tiled_mini = 50'000; ///< gpt-4o-mini counts an image's tokens 33-fold
    /// What a body only refers to, the provider alone knows the size of; these stand for
    /// it and are no bounds: a file, and a conversation or cached content.
    int64_t referenced_file = 30'000;
    int64_t stored_input = 128'000;
};

/// A place of the body that is replaced when it is forwarded; everything else stays as it
/// came, byte for byte.
struct BodyEdit
{
    size_t offset = 0;
    size_t length = 0; ///< 0: an insertion
    std::string text;
};

/// What a request body says of the call's cost.
struct CallEstimate
{
    Dialect dialect = Dialect::Other;
    std::string model;
    bool stream = false;
    int64_t choices = 1;               ///< n or candidateCount: answers asked for
    std::optional<int64_t> max_tokens; ///< the client's limit for one choice
    int64_t input_bound = 0;           ///< the input is at most so many tokens
    /// The smallest limit the provider accepts with this body (1, or one more than an
    /// Anthropic thinking budget): clamping below makes it a bad request.
    int64_t least_max_tokens = 1;
    /// The model may make output that the stream does not show (OpenAI and Gemini
    /// reasoning): a stream cut off is then worth the whole reservation.
    bool hidden_output = false;
    bool asks_usage = false; ///< OpenAI chat: stream_options.include_usage is true

    /// Where the model's name is, quotes included; of length 0 if the body has none.
    BodyEdit model_place;
    /// For limit_edit() and usage_edit(): where the limit is or would go, a '#' in its
    /// text standing for the number, and what would ask for usage (chat streams only).
    BodyEdit limit_place;
    std::optional<BodyEdit> usage_place;
};

/// Reads a request body. Throws Error(BadData), one line naming what is wrong, when the
/// body is not one JSON object, or when a member the cost depends on (model, max tokens,
/// n, stream and the objects they are in) has a wrong type or range or occurs twice:
/// what a provider would make of that is unknown. Other duplicate members are let pass.
CallEstimate estimate_call(const Route &route, std::string_view body,
                           const EstimateRules &rules = {});

/// The edit that asks for another model, whose name needs no escapes in JSON. The body
/// must have one.
BodyEdit model_edit(const CallEstimate &estimate, std::string_view model);

/// The edit that makes the limit of one choice `max_tokens`: the number replaced in
/// place, or the member inserted where there is none (in the name the dialect and the
/// model take: max_tokens, max_completion_tokens, max_output_tokens,
/// generationConfig.maxOutputTokens).
BodyEdit limit_edit(const CallEstimate &estimate, int64_t max_tokens);

/// The edit that asks an OpenAI chat stream for its usage; nothing if it need not be
/// asked.
std::optional<BodyEdit> usage_edit(const CallEstimate &estimate);

/// The body with the edits made, in any order; they do not overlap.
std::string apply_edits(std::string_view body, std::vector<BodyEdit> edits);

/// How much output a call without a limit of its own is given: the least of the model's
/// limit (if known), four times the largest answer the model was seen to give (at least
/// 4096).
int64_t default_output(std::optional<int64_t> model_limit, int64_t largest_seen) noexcept;

/// How many tokens a text is at most, by the rule of estimate_call(): byte-level BPE
/// makes a token from one byte or more, and blanks go with their neighbours. Usual
/// tokenizers need a third to a half of that.
int64_t token_bound(std::string_view text);

} // namespace ap
