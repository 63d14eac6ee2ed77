// The SSE splitter finds the same events however a stream is cut, and the usage
// strip passes all of a stream but whole events.

#include "fuzz.hh"

#include "domain/sse_splitter.hh"
#include "domain/usage_strip.hh"

using namespace ap;
using namespace std::string_view_literals;

namespace {

constexpr std::string_view texts[] = {
    "data: a\n\ndata: b\n\n"sv,
    "event: x\r\ndata: {\"choices\":[{}],\"usage\":null}\r\n\r\ndata: "
    "{\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\r\n\r\ndata: "
    "[DONE]\r\n\r\n"sv,
    "\xef\xbb\xbf"
    "data:x\rdata\r\r: c\n\nid: 1\ndata: y\n\n"sv,
};

class Events final : public SseSplitter::Handler
{
public:
    std::string text;
    void on_data(std::string_view piece) override { text += piece; }
    void on_event(uint64_t end) override { text += '@' + std::to_string(end) + '|'; }
};

bool is_subsequence(std::string_view part, std::string_view whole)
{
    size_t at = 0;
    for (const char byte : whole) {
        at += at < part.size() && part[at] == byte;
    }
    return at == part.size();
}

} // namespace

std::span<const std::string_view> fuzz::seeds()
{
    return texts;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const std::string_view text = fuzz::text_of(data, size);
    const auto seed = static_cast<uint32_t>(size * 2654435761u);
    SseSplitter whole;
    SseSplitter cut;
    Events whole_events;
    Events cut_events;
    whole.feed(text, whole_events);
    fuzz::in_pieces(text, seed,
                    [&](std::string_view piece) { cut.feed(piece, cut_events); });
    fuzz::require(whole_events.text == cut_events.text, "cutting changes no event");
    fuzz::require(cut.offset() == size, "every byte counts");

    UsageStrip whole_strip;
    UsageStrip cut_strip;
    std::string whole_out;
    std::string cut_out;
    whole_strip.feed(text, whole_out);
    whole_strip.finish(whole_out);
    fuzz::in_pieces(text, seed,
                    [&](std::string_view piece) { cut_strip.feed(piece, cut_out); });
    cut_strip.finish(cut_out);
    fuzz::require(whole_out == cut_out, "cutting changes nothing that passes");
    fuzz::require(is_subsequence(whole_out, text), "nothing is added");
    fuzz::require(whole_strip.stripped() || whole_out == text, "all passes unstripped");
    return 0;
}
