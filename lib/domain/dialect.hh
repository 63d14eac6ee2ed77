#pragma once

#include <string_view>

namespace ap {

/// What a request to the gateway asks for, told from its method and path alone.
enum class Dialect {
    AnthropicMessages,
    OpenAiChat,
    OpenAiResponses,
    OpenAiEmbeddings,
    GeminiGenerate,
    GeminiStream,
    CountTokens, ///< any provider's token counting, which costs nothing
    Models,      ///< listing or showing models, which costs nothing
    Other,       ///< passed or refused by configuration; never metered
};

/// A request told apart. The views point into the path it was told from.
struct Route
{
    Dialect dialect = Dialect::Other;
    std::string_view model; ///< Gemini names it in the path; empty elsewhere
    bool sse = false;       ///< Gemini's ?alt=sse: the stream is SSE, not a JSON array
};

/// Tells a request apart by method and path; a query (as in "/v1/messages?beta=true") and
/// the version in front (/v1, /v1beta, none) make no difference. Anything unknown is
/// Dialect::Other.
Route route_of(std::string_view method, std::string_view path);

/// Whether a call of this dialect uses tokens that are paid for, so that it must be
/// admitted and metered.
bool is_metered(Dialect dialect) noexcept;

/// The company whose shape requests, errors and keys have: "anthropic", "openai",
/// "gemini", or "" where the dialect alone does not tell (CountTokens, Models, Other).
std::string_view family_of(Dialect dialect) noexcept;

/// For metrics and records: "anthropic-messages", "openai-chat", ...
std::string_view dialect_name(Dialect dialect) noexcept;

} // namespace ap
