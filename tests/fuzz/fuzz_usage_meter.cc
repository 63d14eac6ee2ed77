// Each dialect's meter reads the same usage however an answer is cut, and none
// that is out of range. The first byte picks the dialect, SSE and the encoding.

#include "fuzz.hh"

#include "domain/usage_meter.hh"

using namespace ap;
using namespace std::string_view_literals;

namespace {

constexpr std::string_view texts[] = {
    "\x01"
    "data: {\"type\":\"message_start\",\"message\":{\"model\":\"c\",\"usage\":{"
    "\"input_tokens\":25,\"cache_creation_input_tokens\":3,\"cache_read_input_"
    "tokens\":4,"
    "\"output_tokens\":1}}}\n\ndata: {\"delta\":{\"text\":\"Hi\"}}\n\ndata: "
    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},"
    "\"usage\":{"
    "\"output_tokens\":15}}\n\n"sv,
    "\x03"
    "data: "
    "{\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":null}\n\ndata: "
    "{\"choices\":[],\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":10,"
    "\"total_tokens\":29,\"prompt_tokens_details\":{\"cached_tokens\":8}}}\n\n"
    "data: [DONE]\n\n"sv,
    "\x02"
    "{\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":10,\"total_"
    "tokens\":99}}"sv,
    "\x05"
    "data: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\ndata: "
    "{\"response\":{\"usage\":{\"input_tokens\":37,\"output_tokens\":11,"
    "\"output_tokens_details\":{\"reasoning_tokens\":3}}}}\n\n"sv,
    "\x06"
    "{\"usage\":{\"prompt_tokens\":8,\"total_tokens\":8}}"sv,
    "\x08"
    "{\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{"
    "\"promptTokenCount\":4,\"candidatesTokenCount\":9,\"thoughtsTokenCount\":"
    "2,"
    "\"totalTokenCount\":15}}"sv,
    "\x0a"
    "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}],"
    "\"usageMetadata\":{"
    "\"promptTokenCount\":4}}\n,{\"usageMetadata\":{\"promptTokenCount\":1e99}}"
    "]"sv,
    "\x12\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"sv,
};

constexpr Dialect dialects[] = {
    Dialect::AnthropicMessages, Dialect::OpenAiChat,     Dialect::OpenAiResponses,
    Dialect::OpenAiEmbeddings,  Dialect::GeminiGenerate, Dialect::GeminiStream,
};

constexpr int64_t bound = 1000;
constexpr int64_t reserved = 500;
constexpr int64_t most = 8 * largest_amount; // the sum of a few counts of one answer

std::string shown(const MeteredUsage &metered)
{
    const Usage &usage = metered.usage;
    std::string text = usage.model + (usage.estimated ? "~" : "=");
    for (const int64_t count :
         {usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens,
          usage.cache_write_tokens, usage.reasoning_tokens, metered.cache_write_long}) {
        fuzz::require(count >= 0 && count <= most, "counts are in range");
        text += ' ' + std::to_string(count);
    }
    fuzz::require(usage.cached_tokens + usage.cache_write_tokens <= usage.prompt_tokens,
                  "what a cache was involved in is part of the input");
    fuzz::require(metered.cache_write_long <= usage.cache_write_tokens, "long is a part");
    fuzz::require(usage.reasoning_tokens <= usage.completion_tokens,
                  "reasoning is part of the output");
    return text;
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
    constexpr std::string_view encodings[] = {"", "gzip", "deflate", "br"};
    const ResponseForm form = {dialects[(data[0] >> 1) % 6 % std::size(dialects)],
                               (data[0] & 1) != 0,
                               std::string(encodings[(data[0] >> 4) & 3])};
    const std::string_view text = fuzz::text_of(data + 1, size - 1);
    UsageMeter whole(form, bound);
    UsageMeter cut(form, bound);
    whole.feed(text);
    fuzz::in_pieces(text, static_cast<uint32_t>(size * 2654435761u),
                    [&](std::string_view piece) { cut.feed(piece); });
    for (const bool hidden : {false, true}) {
        fuzz::require(shown(whole.result(reserved, hidden)) ==
                          shown(cut.result(reserved, hidden)),
                      "cutting changes no usage");
    }
    fuzz::require(whole.progress().output_seen >= 0, "output is in range");
    return 0;
}
