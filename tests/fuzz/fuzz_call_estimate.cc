// A request body that is accepted can be given a limit: what comes out is JSON
// as much as what came in, says that limit, and differs in nothing else. The
// first byte picks the dialect.

#include "fuzz.hh"

#include "base/error.hh"
#include "domain/call_estimate.hh"
#include "wrap/json.hh"

#include <optional>

using namespace ap;
using namespace std::string_view_literals;

namespace {

constexpr std::string_view texts[] = {
    "\x00{\"model\":\"claude\",\"max_tokens\":1024,\"stream\":true,"
    "\"messages\":[{\"role\":"
    "\"user\",\"content\":[{\"type\":\"text\",\"text\":\"h\\u00e9\"}]}],"
    "\"thinking\":{"
    "\"type\":\"enabled\",\"budget_tokens\":512}}"sv,
    "\x01{\"model\":\"gpt-4o\",\"stream\":true,\"n\":2,\"stream_options\":{"
    "\"include_usage\":false},\"max_completion_tokens\":null}"sv,
    "\x01{\"stream\":true}"sv,
    "\x02{\"model\":\"gpt-5\",\"input\":[{\"role\":\"user\"}],\"reasoning\":{}"
    "}"sv,
    "\x03{\"contents\":[],\"generationConfig\":{\"candidateCount\":1}}"sv,
    "\x03{\"generation_config\":{\"max_output_tokens\":5.0e1},\"tools\":[{"
    "\"functionDeclarations\":[{}]}]}"sv,
    "\x03{}"sv,
};

constexpr std::string_view paths[] = {
    "/v1/messages",
    "/v1/chat/completions",
    "/v1/responses",
    "/v1beta/models/gemini-2.5-pro:streamGenerateContent",
};

std::optional<CallEstimate> estimate(const Route &route, std::string_view body)
{
    try {
        return estimate_call(route, body);
    } catch (const Error &error) {
        fuzz::require(error.status() == ExitStatus::BadData, "refusals are of the data");
        return std::nullopt;
    }
}

} // namespace

std::span<const std::string_view> fuzz::seeds()
{
    return texts;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const Route route = route_of("POST", paths[data[0] % std::size(paths)]);
    const std::string_view body = fuzz::text_of(data + 1, size - 1);
    const std::optional<CallEstimate> call = estimate(route, body);
    if (!call) {
        return 0;
    }
    fuzz::require(call->input_bound > 0 && call->choices > 0 &&
                      call->least_max_tokens > 0,
                  "figures are in range");
    constexpr int64_t limit = 77'777;
    const BodyEdit edit = limit_edit(*call, limit);
    std::vector<BodyEdit> edits = {edit};
    if (const auto usage = usage_edit(*call)) {
        edits.push_back(*usage);
    }
    const std::string edited = apply_edits(body, edits);
    const std::optional<CallEstimate> again = estimate(route, edited);
    fuzz::require(again.has_value(), "what is forwarded is accepted again");
    fuzz::require(again->max_tokens == limit, "it says the limit");
    fuzz::require(again->model == call->model && again->stream == call->stream &&
                      again->choices == call->choices,
                  "it says the same as before");
    fuzz::require(!usage_edit(*again), "its usage need not be asked for again");
    if (Json::try_parse(body)) {
        fuzz::require(Json::try_parse(edited).has_value(), "it is JSON as before");
    }
    const std::string limited = apply_edits(body, {edit});
    fuzz::require(limited.substr(0, edit.offset) == body.substr(0, edit.offset) &&
                      limited.substr(edit.offset + edit.text.size()) ==
                          body.substr(edit.offset + edit.length),
                  "nothing else changes");
    return 0;
}
