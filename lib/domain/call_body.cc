#include "domain/call_body.hh"

#include "base/error.hh"
#include "domain/budget.hh"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace ap {

namespace {

using Kind = JsonScanner::Kind;

constexpr int64_t most_choices = 128;

// Members that the cost depends on, besides those that have more than one name.
constexpr std::string_view given_once[] = {"model",
                                           "stream",
                                           "thinking",
                                           "thinking/type",
                                           "thinking/budget_tokens",
                                           "stream_options",
                                           "stream_options/include_usage"};

bool is_base64(std::string_view text)
{
    return text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789+/=-_\\") == std::string_view::npos;
}

std::string_view last_key(std::string_view path)
{
    const size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// Element of one of the lists that a provider renders with something around each.
bool is_message(std::string_view path)
{
    constexpr std::string_view paths[] = {"messages/*",
                                          "messages/*/content/*",
                                          "input/*",
                                          "input/*/content/*",
                                          "contents/*",
                                          "contents/*/parts/*",
                                          "system/*",
                                          "system_instruction/parts/*",
                                          "systemInstruction/parts/*",
                                          "messages/*/tool_calls/*"};
    return std::find(std::begin(paths), std::end(paths), path) != std::end(paths);
}

bool is_tool(std::string_view path)
{
    constexpr std::string_view paths[] = {"tools/*", "functions/*",
                                          "tools/*/functionDeclarations/*",
                                          "tools/*/function_declarations/*"};
    return std::find(std::begin(paths), std::end(paths), path) != std::end(paths);
}

// The object that holds the member; empty for a member of the root.
std::string_view parent_of(std::string_view path)
{
    const size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

void require(bool holds, std::string_view path, const std::string &expected)
{
    if (!holds) {
        throw Error(ExitStatus::BadData,
                    "request body: " + std::string(path) + ": expected " + expected);
    }
}

// 512 and 512.0 and 5.12e2 are the same number to a provider.
int64_t whole(std::string_view path, const JsonScanner::Scalar &scalar, int64_t low,
              int64_t high)
{
    const std::string expected =
        "a whole number from " + std::to_string(low) + " to " + std::to_string(high);
    require(scalar.kind == Kind::Number, path, expected);
    double value = 0;
    const char *end = scalar.text.data() + scalar.text.size();
    const auto read = std::from_chars(scalar.text.data(), end, value);
    require(read.ec == std::errc() && read.ptr == end &&
                value >= static_cast<double>(low) && value <= static_cast<double>(high) &&
                value == std::floor(value),
            path, expected);
    return static_cast<int64_t>(value);
}

BodyEdit replacing(const JsonScanner::Scalar &scalar)
{
    return {static_cast<size_t>(scalar.begin),
            static_cast<size_t>(scalar.end - scalar.begin),
            {}};
}

} // namespace

CallBody::CallBody(const Route &route, std::string_view body, const EstimateRules &rules)
    : body_(body)
    , rules_(rules)
    , is_gemini_(family_of(route.dialect) == "gemini")
{
    estimate.dialect = route.dialect;
    estimate.model = route.model;
    estimate.stream = route.dialect == Dialect::GeminiStream;
}

void CallBody::on_open(std::string_view path, char kind, uint64_t offset)
{
    note_member(path);
    if (path.empty()) {
        require(kind == '{', "the whole", "an object");
        root.brace = offset + 1;
    } else if (is_config(path)) {
        require(kind == '{', path, "an object");
        config.brace = offset + 1;
    } else if (path == "stream_options") {
        require(kind == '{', path, "an object");
        options.brace = offset + 1;
    } else {
        require(!is_limit(path) && !is_choices(path) && path != "model" &&
                    path != "stream",
                path, "a plain value");
        reasons = reasons || path == "reasoning";
    }
    if (is_message(path)) {
        extra += rules_.per_message;
    } else if (is_tool(path)) {
        extra += rules_.per_tool;
        has_tools = true;
    }
}

void CallBody::on_scalar(std::string_view path, const JsonScanner::Scalar &scalar)
{
    note_member(path);
    if (path == "model" && !is_gemini_) {
        require(scalar.kind == Kind::String, path, "a string");
        estimate.model = scalar.text;
        estimate.model_place = replacing(scalar);
    } else if (path == "stream" && !is_gemini_) {
        take_stream(path, scalar);
    } else if (is_limit(path)) {
        take_limit(path, scalar);
    } else if (is_config(path)) {
        require(scalar.kind == Kind::Null, path, "an object");
        config.null = replacing(scalar);
    } else if (path == "stream_options") {
        require(scalar.kind == Kind::Null, path, "an object");
        options.null = replacing(scalar);
    } else {
        take_rest(path, scalar);
    }
    if (scalar.kind == Kind::String) {
        take_type(path, scalar.text);
        add_media(path, scalar);
    }
}

bool CallBody::is_config(std::string_view path) const
{
    return is_gemini_ && (path == "generationConfig" || path == "generation_config");
}

bool CallBody::is_in_config(std::string_view path, std::string_view camel,
                            std::string_view snake) const
{
    return is_config(parent_of(path)) &&
           (last_key(path) == camel || last_key(path) == snake);
}

bool CallBody::is_limit(std::string_view path) const
{
    switch (estimate.dialect) {
    case Dialect::AnthropicMessages:
        return path == "max_tokens";
    case Dialect::OpenAiChat:
        return path == "max_tokens" || path == "max_completion_tokens";
    case Dialect::OpenAiResponses:
        return path == "max_output_tokens";
    case Dialect::GeminiGenerate:
    case Dialect::GeminiStream:
        return is_in_config(path, "maxOutputTokens", "max_output_tokens");
    case Dialect::OpenAiEmbeddings:
    case Dialect::CountTokens:
    case Dialect::Models:
    case Dialect::Other:
        break;
    }
    return false;
}

bool CallBody::is_choices(std::string_view path) const
{
    return (estimate.dialect == Dialect::OpenAiChat && path == "n") ||
           is_in_config(path, "candidateCount", "candidate_count");
}

// Two of what the cost depends on, under one name or two: nobody knows which holds.
void CallBody::note_member(std::string_view path)
{
    if (path.empty()) {
        return;
    }
    root.empty = false;
    // All else is deeper, and most of what there is.
    if (std::count(path.begin(), path.end(), '/') > 1) {
        return;
    }
    config.empty = config.empty && !is_config(parent_of(path));
    options.empty = options.empty && parent_of(path) != "stream_options";
    if (is_limit(path)) {
        note_once(Once::Limit, "the limit of output tokens");
    } else if (is_config(path)) {
        note_once(Once::Config, "generationConfig");
    } else if (is_choices(path)) {
        note_once(Once::Choices, path);
    } else if (const auto *known =
                   std::find(std::begin(given_once), std::end(given_once), path);
               known != std::end(given_once)) {
        note_once(static_cast<Once>(static_cast<size_t>(Once::Named) +
                                    static_cast<size_t>(known - given_once)),
                  path);
    }
}

void CallBody::note_once(Once member, std::string_view name)
{
    const auto place = static_cast<size_t>(member);
    if (seen_.test(place)) {
        throw Error(ExitStatus::BadData,
                    "request body: " + std::string(name) + " is given twice");
    }
    seen_.set(place);
}

void CallBody::take_stream(std::string_view path, const JsonScanner::Scalar &scalar)
{
    require(scalar.kind == Kind::True || scalar.kind == Kind::False ||
                scalar.kind == Kind::Null,
            path, "true or false");
    estimate.stream = scalar.kind == Kind::True;
}

void CallBody::take_limit(std::string_view path, const JsonScanner::Scalar &scalar)
{
    estimate.limit_place = replacing(scalar);
    if (scalar.kind != Kind::Null) {
        estimate.max_tokens = whole(path, scalar, 1, largest_amount);
    }
}

void CallBody::take_rest(std::string_view path, const JsonScanner::Scalar &scalar)
{
    const bool is_null = scalar.kind == Kind::Null;
    if (is_choices(path)) {
        estimate.choices = is_null ? 1 : whole(path, scalar, 1, most_choices);
    } else if (path == "thinking/budget_tokens" && !is_null) {
        thinking_budget = whole(path, scalar, 0, largest_amount);
    } else if (path == "reasoning_effort") {
        reasons = reasons || !is_null;
    } else if (path == "stream_options/include_usage") {
        estimate.asks_usage = scalar.kind == Kind::True;
        include_usage = replacing(scalar);
    }
}

void CallBody::take_type(std::string_view path, std::string_view text)
{
    if (path == "thinking/type") {
        thinks = text != "disabled";
    } else if (path == "tools/*/type" && text != "function" && text != "custom") {
        extra += rules_.builtin_tool;
    } else if (path.ends_with("/type") &&
               (text == "image" || text == "image_url" || text == "input_image")) {
        extra += rules_.media_least;
    }
}

void CallBody::add_media(std::string_view path, const JsonScanner::Scalar &scalar)
{
    const std::string_view key = last_key(path);
    if (key == "file_id" || key == "file_url" || key == "fileUri" || key == "file_uri" ||
        path.ends_with("source/url")) {
        extra += rules_.referenced_file;
    } else if (key == "previous_response_id" || key == "conversation" ||
               path == "cachedContent" || path == "cached_content") {
        extra += rules_.stored_input;
    }
    const auto begin = static_cast<size_t>(scalar.begin);
    const std::string_view raw =
        body_.substr(begin + 1, static_cast<size_t>(scalar.end) - begin - 2);
    if (raw.size() > rules_.media_bytes && (raw.starts_with("data:") || is_base64(raw))) {
        media_bytes += scalar.length;
        extra += std::max(rules_.media_least,
                          static_cast<int64_t>(raw.size()) / rules_.media_divisor);
    }
}

} // namespace ap
