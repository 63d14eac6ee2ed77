#include "domain/call_estimate.hh"

#include "base/error.hh"
#include "base/json_scanner.hh"
#include "domain/budget.hh"
#include "domain/call_body.hh"

#include <algorithm>

namespace ap {

namespace {

constexpr int64_t responses_least = 16; // the API refuses a lower max_output_tokens

// Names of models whose reasoning is output that a stream does not show.
bool is_openai_reasoning(std::string_view model)
{
    model.remove_prefix(model.rfind('/') + 1); // npos + 1 is 0
    for (const std::string_view start : {"o1", "o3", "o4", "gpt-5", "gpt-6", "codex"}) {
        if (model.starts_with(start)) {
            return true;
        }
    }
    return false;
}

bool is_gemini_reasoning(std::string_view model)
{
    return model.find("gemini-1") == std::string_view::npos &&
           model.find("gemini-2.0") == std::string_view::npos;
}

bool hides_output(const CallEstimate &estimate, const CallBody &body)
{
    switch (estimate.dialect) {
    case Dialect::AnthropicMessages:
        return body.thinks; // newer models show a summary of it only
    case Dialect::OpenAiChat:
    case Dialect::OpenAiResponses:
        return body.reasons || is_openai_reasoning(estimate.model);
    case Dialect::GeminiGenerate:
    case Dialect::GeminiStream:
        return is_gemini_reasoning(estimate.model);
    case Dialect::OpenAiEmbeddings:
    case Dialect::CountTokens:
    case Dialect::Models:
    case Dialect::Other:
        break;
    }
    return false;
}

int64_t least_limit(const CallEstimate &estimate, const CallBody &body)
{
    if (estimate.dialect == Dialect::AnthropicMessages && body.thinks) {
        return body.thinking_budget.value_or(0) + 1;
    }
    return estimate.dialect == Dialect::OpenAiResponses ? responses_least : 1;
}

std::string_view limit_name(const CallEstimate &estimate)
{
    switch (estimate.dialect) {
    case Dialect::OpenAiChat:
        return is_openai_reasoning(estimate.model) ? "max_completion_tokens"
                                                   : "max_tokens";
    case Dialect::OpenAiResponses:
        return "max_output_tokens";
    case Dialect::GeminiGenerate:
    case Dialect::GeminiStream:
        return "maxOutputTokens";
    case Dialect::AnthropicMessages:
    case Dialect::OpenAiEmbeddings:
    case Dialect::CountTokens:
    case Dialect::Models:
    case Dialect::Other:
        break;
    }
    return "max_tokens";
}

// Stands for the number in the text of an edit.
constexpr char number_here = '#';

// Puts a member into an object of the body, or the whole object where it is missing.
BodyEdit put_into(const CallBody::Room &room, const CallBody::Room &root,
                  std::string_view object, const std::string &member)
{
    if (room.brace) {
        return {static_cast<size_t>(*room.brace), 0, member + (room.empty ? "" : ",")};
    }
    const std::string whole = '{' + member + '}';
    if (room.null) {
        return {room.null->offset, room.null->length, whole};
    }
    return put_into(root, root, {}, '"' + std::string(object) + "\":" + whole);
}

BodyEdit place_of_limit(const CallEstimate &estimate, const CallBody &body)
{
    if (estimate.limit_place.length > 0) {
        return {estimate.limit_place.offset, estimate.limit_place.length, {number_here}};
    }
    const std::string member =
        '"' + std::string(limit_name(estimate)) + "\":" + number_here;
    const bool is_gemini = family_of(estimate.dialect) == "gemini";
    return put_into(is_gemini ? body.config : body.root, body.root, "generationConfig",
                    member);
}

std::optional<BodyEdit> place_of_usage(const CallEstimate &estimate, const CallBody &body)
{
    if (estimate.dialect != Dialect::OpenAiChat || !estimate.stream) {
        return std::nullopt;
    }
    if (body.include_usage) {
        return BodyEdit{body.include_usage->offset, body.include_usage->length, "true"};
    }
    return put_into(body.options, body.root, "stream_options", "\"include_usage\":true");
}

// The bound of a call with one message, of which that of an empty one is no part.
int64_t bound_of_message(std::string_view text)
{
    Json message = Json::object();
    message.set("role", "user").set("content", text);
    Json body = Json::object();
    body.set("model", "any")
        .set("max_tokens", 1)
        .set("messages", Json::array().append(message));
    return estimate_call(route_of("POST", "/v1/chat/completions"), body.dump())
        .input_bound;
}

} // namespace

CallEstimate estimate_call(const Route &route, std::string_view body,
                           const EstimateRules &rules)
{
    JsonScanner scanner;
    CallBody reader(route, body, rules);
    scanner.feed(body, reader);
    if (!scanner.finish(reader) || !reader.root.brace) {
        throw Error(ExitStatus::BadData,
                    scanner.failed() ? "request body: no JSON at byte " +
                                           std::to_string(scanner.offset())
                                     : "request body: expected one whole JSON object");
    }
    CallEstimate estimate = std::move(reader.estimate);
    const uint64_t text_bytes = body.size() - scanner.blanks() -
                                scanner.raw_string_bytes() +
                                scanner.decoded_string_bytes() - reader.media_bytes;
    estimate.input_bound = static_cast<int64_t>(text_bytes) + reader.extra +
                           (reader.has_tools ? rules.tools_prompt : 0) + rules.per_call;
    if (estimate.model.starts_with("gpt-4o-mini") && reader.media_bytes > 0) {
        estimate.input_bound += rules.tiled_mini;
    }
    estimate.least_max_tokens = least_limit(estimate, reader);
    estimate.hidden_output = hides_output(estimate, reader);
    estimate.limit_place = place_of_limit(estimate, reader);
    estimate.usage_place = place_of_usage(estimate, reader);
    return estimate;
}

BodyEdit model_edit(const CallEstimate &estimate, std::string_view model)
{
    return {estimate.model_place.offset, estimate.model_place.length,
            '"' + std::string(model) + '"'};
}

BodyEdit limit_edit(const CallEstimate &estimate, int64_t max_tokens)
{
    BodyEdit edit = estimate.limit_place;
    edit.text.replace(edit.text.find(number_here), 1, std::to_string(max_tokens));
    return edit;
}

std::optional<BodyEdit> usage_edit(const CallEstimate &estimate)
{
    return estimate.asks_usage ? std::nullopt : estimate.usage_place;
}

std::string apply_edits(std::string_view body, std::vector<BodyEdit> edits)
{
    // Of two insertions at one place both end in a comma but in an empty object, where
    // the later needs one before it.
    std::stable_sort(
        edits.begin(), edits.end(),
        [](const BodyEdit &a, const BodyEdit &b) { return a.offset < b.offset; });
    std::string result;
    size_t done = 0;
    for (size_t i = 0; i < edits.size(); ++i) {
        const BodyEdit &edit = edits[i];
        result += body.substr(done, edit.offset - done);
        result += edit.text;
        const bool next_is_here =
            i + 1 < edits.size() && edits[i + 1].offset == edit.offset;
        if (next_is_here && !edit.text.ends_with(',')) {
            result += ',';
        }
        done = edit.offset + edit.length;
    }
    result += body.substr(done);
    return result;
}

int64_t default_output(std::optional<int64_t> model_limit, int64_t largest_seen) noexcept
{
    constexpr int64_t least = 4096;
    const int64_t guess = std::max(least, 4 * std::min(largest_seen, largest_amount));
    return std::min(guess, model_limit.value_or(guess));
}

int64_t token_bound(std::string_view text)
{
    return bound_of_message(text) - bound_of_message("");
}

} // namespace ap
