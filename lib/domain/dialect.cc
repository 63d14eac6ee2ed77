#include "domain/dialect.hh"

#include <array>

namespace ap {

namespace {

struct KnownPath
{
    std::string_view method;
    std::string_view path; ///< behind the version
    Dialect dialect;
};

constexpr KnownPath known_paths[] = {
    {"POST", "messages", Dialect::AnthropicMessages},
    {"POST", "messages/count_tokens", Dialect::CountTokens},
    {"POST", "chat/completions", Dialect::OpenAiChat},
    {"POST", "responses", Dialect::OpenAiResponses},
    {"POST", "responses/input_tokens", Dialect::CountTokens},
    {"POST", "embeddings", Dialect::OpenAiEmbeddings},
    {"GET", "models", Dialect::Models},
};

struct GeminiVerb
{
    std::string_view verb;
    Dialect dialect;
};

constexpr GeminiVerb gemini_verbs[] = {
    {"generateContent", Dialect::GeminiGenerate},
    {"streamGenerateContent", Dialect::GeminiStream},
    {"countTokens", Dialect::CountTokens},
};

// Takes "/v1/", "/v1beta/", "/v1alpha/" or "/" off the front.
std::string_view without_version(std::string_view path)
{
    for (const std::string_view version : {"/v1/", "/v1beta/", "/v1alpha/", "/"}) {
        if (path.starts_with(version)) {
            return path.substr(version.size());
        }
    }
    return {};
}

bool has_parameter(std::string_view query, std::string_view parameter)
{
    while (!query.empty()) {
        const size_t end = query.find('&');
        if (query.substr(0, end) == parameter) {
            return true;
        }
        query = end == std::string_view::npos ? "" : query.substr(end + 1);
    }
    return false;
}

// "models/NAME:verb", also "tunedModels/NAME:verb".
Route gemini_route(std::string_view path, std::string_view query)
{
    const size_t slash = path.find('/');
    const size_t colon = path.find(':');
    if (slash == std::string_view::npos || colon == std::string_view::npos ||
        colon < slash || colon == slash + 1) {
        return {};
    }
    const std::string_view collection = path.substr(0, slash);
    if (collection != "models" && collection != "tunedModels") {
        return {};
    }
    for (const GeminiVerb &known : gemini_verbs) {
        if (path.substr(colon + 1) == known.verb) {
            return {known.dialect, path.substr(slash + 1, colon - slash - 1),
                    has_parameter(query, "alt=sse")};
        }
    }
    return {};
}

} // namespace

Route route_of(std::string_view method, std::string_view path)
{
    const size_t mark = path.find('?');
    const std::string_view query =
        mark == std::string_view::npos ? "" : path.substr(mark + 1);
    const std::string_view name = without_version(path.substr(0, mark));
    for (const KnownPath &known : known_paths) {
        if (known.method == method && known.path == name) {
            return {known.dialect, {}, false};
        }
    }
    if (method == "GET" && name.starts_with("models/")) {
        return {Dialect::Models, name.substr(7), false};
    }
    return method == "POST" ? gemini_route(name, query) : Route{};
}

bool is_metered(Dialect dialect) noexcept
{
    return dialect != Dialect::CountTokens && dialect != Dialect::Models &&
           dialect != Dialect::Other;
}

std::string_view family_of(Dialect dialect) noexcept
{
    switch (dialect) {
    case Dialect::AnthropicMessages:
        return "anthropic";
    case Dialect::OpenAiChat:
    case Dialect::OpenAiResponses:
    case Dialect::OpenAiEmbeddings:
        return "openai";
    case Dialect::GeminiGenerate:
    case Dialect::GeminiStream:
        return "gemini";
    case Dialect::CountTokens:
    case Dialect::Models:
    case Dialect::Other:
        break;
    }
    return "";
}

std::string_view dialect_name(Dialect dialect) noexcept
{
    constexpr std::array<std::string_view, 9> names = {
        "anthropic-messages", "openai-chat", "openai-responses",
        "openai-embeddings",  "gemini",      "gemini-stream",
        "count-tokens",       "models",      "other"};
    return names[static_cast<size_t>(dialect)];
}

} // namespace ap
