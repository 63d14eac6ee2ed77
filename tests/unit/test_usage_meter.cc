#include "check.hh"
#include "compressed.hh"

#include "domain/usage_meter.hh"

using namespace ap;

namespace {

constexpr int64_t bound = 900;    // of the input, where the provider says nothing
constexpr int64_t reserved = 500; // of output

// "input/cached/written(long)/output/reasoning", and "~" for an estimate.
std::string shown_usage(const MeteredUsage &metered)
{
    const Usage &usage = metered.usage;
    return (usage.estimated ? "~" : "") + std::to_string(usage.prompt_tokens) + '/' +
           std::to_string(usage.cached_tokens) + '/' +
           std::to_string(usage.cache_write_tokens) + '(' +
           std::to_string(metered.cache_write_long) + ")/" +
           std::to_string(usage.completion_tokens) + '/' +
           std::to_string(usage.reasoning_tokens);
}

std::string metered(const ResponseForm &form, std::string_view body,
                    size_t piece = std::string_view::npos, bool hidden = false)
{
    UsageMeter meter(form, bound);
    for (size_t at = 0; at < body.size(); at += std::min(piece, body.size())) {
        meter.feed(body.substr(at, piece));
    }
    return shown_usage(meter.result(reserved, hidden));
}

// The same however it is cut, and compressed.
void check_metered(const ResponseForm &form, std::string_view body,
                   std::string_view expected)
{
    CHECK_EQUAL(metered(form, body), expected);
    for (size_t piece = 1; piece < body.size(); piece += 1 + piece / 16) {
        CHECK_EQUAL(metered(form, body, piece), expected);
    }
    for (const auto &[encoding, window] :
         {std::pair("gzip", 31), std::pair("deflate", 15), std::pair("deflate", -15)}) {
        ResponseForm compressed = form;
        compressed.content_encoding = encoding;
        CHECK_EQUAL(metered(compressed, check::compressed(body, window), 7), expected);
    }
}

const ResponseForm anthropic = {Dialect::AnthropicMessages, false, ""};
const ResponseForm anthropic_sse = {Dialect::AnthropicMessages, true, ""};
const ResponseForm chat = {Dialect::OpenAiChat, false, ""};
const ResponseForm chat_sse = {Dialect::OpenAiChat, true, ""};
const ResponseForm responses = {Dialect::OpenAiResponses, false, ""};
const ResponseForm responses_sse = {Dialect::OpenAiResponses, true, ""};
const ResponseForm gemini = {Dialect::GeminiGenerate, false, ""};
const ResponseForm gemini_array = {Dialect::GeminiStream, false, ""};
const ResponseForm gemini_sse = {Dialect::GeminiStream, true, ""};

constexpr std::string_view anthropic_stream =
    "event: message_start\n"
    R"(data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-20250514","content":[],"stop_reason":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":30,"cache_read_input_tokens":40,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":1}}})"
    "\n\nevent: content_block_delta\n"
    R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello, \"usage\":{\"output_tokens\":9}"}})"
    "\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n"
    "event: message_delta\n"
    R"(data: {"type":"message_delta","delta":{"stop_reason":null},"usage":{"output_tokens":7}})"
    "\n\nevent: message_delta\n"
    R"(data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":26,"output_tokens":15}})"
    "\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

void anthropic_answers_add_what_a_cache_was_involved_in()
{
    check_metered(
        anthropic,
        R"({"id":"m","model":"claude","content":[{"type":"text","text":"hi","usage":{"output_tokens":99}}],
        "usage":{"input_tokens":10,"cache_creation_input_tokens":20,"cache_read_input_tokens":30,
        "cache_creation":{"ephemeral_1h_input_tokens":5},"output_tokens":40,"service_tier":"standard"}})",
        "60/30/20(5)/40/0");
}

void anthropic_streams_have_totals_that_grow()
{
    check_metered(anthropic_sse, anthropic_stream, "96/40/30(20)/15/0");
}

void a_cut_anthropic_stream_is_estimated_from_what_was_seen()
{
    const size_t cut = anthropic_stream.find("event: ping");
    // 33 bytes of text and 64 tokens that may have been under way.
    check_metered(anthropic_sse, anthropic_stream.substr(0, cut), "~95/40/30(20)/98/0");
    CHECK_EQUAL(metered(anthropic_sse, anthropic_stream.substr(0, cut), 5, true),
                "~95/40/30(20)/500/0");
    check_metered(anthropic_sse, anthropic_stream.substr(0, 30), "~900/0/0(0)/64/0");
}

void the_input_is_known_as_soon_as_it_is_said()
{
    UsageMeter meter(anthropic_sse, bound);
    CHECK(!meter.progress().input_known);
    meter.feed(anthropic_stream.substr(0, anthropic_stream.find("event: content")));
    CHECK_EQUAL(*meter.progress().input_known, 95);
    CHECK_EQUAL(meter.progress().output_seen, 1);
    CHECK(!meter.progress().final);
    meter.feed(anthropic_stream.substr(anthropic_stream.find("event: content")));
    CHECK_EQUAL(meter.progress().output_seen, 15);
    CHECK(meter.progress().final);
    CHECK_EQUAL(meter.result(reserved, false).usage.model, "claude-sonnet-4-20250514");
}

constexpr std::string_view chat_stream =
    R"(data: {"id":"c","model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"}}],"usage":null})"
    "\n\n"
    R"(data: {"id":"c","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":null}],"usage":null})"
    "\n\n"
    R"(data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null})"
    "\n\n"
    R"(data: {"id":"c","choices":[],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":8},"completion_tokens_details":{"reasoning_tokens":4}}})"
    "\n\ndata: [DONE]\n\n";

void text_is_no_more_output_than_was_granted_unless_the_provider_says_so()
{
    UsageMeter meter(anthropic_sse, bound);
    const size_t end = anthropic_stream.find("event: message_delta");
    meter.feed(anthropic_stream.substr(0, end));
    const MeterProgress before = meter.progress();
    CHECK(before.output_seen > 3 && before.output_told == 1);
    CHECK_EQUAL(before.output_within(3), 3);
    CHECK_EQUAL(before.output_within(1000), before.output_seen);
    meter.feed(anthropic_stream.substr(end));
    CHECK_EQUAL(meter.progress().output_within(3), 15);
}

void chat_answers_and_streams_are_read()
{
    check_metered(
        chat,
        R"({"model":"gpt","choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":8},"completion_tokens_details":{"reasoning_tokens":4}}})",
        "19/8/0(0)/10/4");
    check_metered(chat_sse, chat_stream, "19/8/0(0)/10/4");
    check_metered(chat_sse, chat_stream.substr(0, chat_stream.find("data: [DONE]")),
                  "19/8/0(0)/10/4");
}

void a_chat_stream_without_usage_is_estimated()
{
    const size_t cut = chat_stream.find(R"(data: {"id":"c","choices":[])");
    check_metered(chat_sse, chat_stream.substr(0, cut), "~900/0/0(0)/69/0");
}

void servers_that_send_usage_with_every_chunk_are_exact_at_the_end_only()
{
    const std::string chunk =
        R"(data: {"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":5,"completion_tokens":2}})"
        "\n\n";
    check_metered(chat_sse, chunk, "~5/0/0(0)/66/0");
    check_metered(chat_sse, chunk + "data: [DONE]\n\n", "5/0/0(0)/2/0");
}

void reasoning_left_out_of_the_output_is_found_in_the_total()
{
    check_metered(
        chat,
        R"({"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,"completion_tokens_details":{"reasoning_tokens":100}}})",
        "10/0/0(0)/105/100");
}

void responses_say_it_in_their_last_event()
{
    const std::string created =
        "event: response.created\n"
        R"(data: {"type":"response.created","response":{"id":"r","model":"gpt-5","usage":null}})"
        "\n\nevent: response.output_text.delta\n"
        R"(data: {"type":"response.output_text.delta","delta":"Hi \u20ac"})"
        "\n\n";
    const std::string usage =
        R"("usage":{"input_tokens":37,"input_tokens_details":{"cached_tokens":7},"output_tokens":11,"output_tokens_details":{"reasoning_tokens":3},"total_tokens":48}})";
    for (const std::string_view end : {"completed", "incomplete", "failed"}) {
        check_metered(responses_sse,
                      created + "data: {\"type\":\"response." + std::string(end) +
                          "\",\"response\":{\"output\":[]," + usage + "}\n\n",
                      "37/7/0(0)/11/3");
    }
    check_metered(responses_sse, created, "~900/0/0(0)/70/0");
    check_metered(responses, "{\"model\":\"gpt-5\"," + usage, "37/7/0(0)/11/3");
}

void embeddings_have_input_only()
{
    const ResponseForm embeddings = {Dialect::OpenAiEmbeddings, false, ""};
    check_metered(
        embeddings,
        R"({"data":[{"embedding":[0.1,-2e-3]}],"usage":{"prompt_tokens":8,"total_tokens":8}})",
        "8/0/0(0)/0/0");
    check_metered(embeddings, R"({"data":[)", "~900/0/0(0)/0/0");
}

constexpr std::string_view gemini_first =
    R"({"candidates":[{"content":{"parts":[{"text":"Hello"}]}}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":2,"totalTokenCount":6},"modelVersion":"gemini-2.5-pro"})";
constexpr std::string_view gemini_last =
    R"({"candidates":[{"content":{"parts":[{"text":" you"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":4,"cachedContentTokenCount":3,"candidatesTokenCount":9,"thoughtsTokenCount":20,"toolUsePromptTokenCount":6,"totalTokenCount":39}})";

void gemini_counts_thoughts_as_output_and_tools_as_input()
{
    check_metered(gemini, gemini_last, "10/3/0(0)/29/20");
    check_metered(gemini_sse,
                  "data: " + std::string(gemini_first) +
                      "\r\n\r\ndata: " + std::string(gemini_last) + "\r\n\r\n",
                  "10/3/0(0)/29/20");
    check_metered(gemini_array,
                  '[' + std::string(gemini_first) + "\n,\n" + std::string(gemini_last) +
                      ']',
                  "10/3/0(0)/29/20");
    check_metered(gemini_array, '[' + std::string(gemini_first) + ",", "~4/0/0(0)/69/0");
    check_metered(
        gemini,
        R"({"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4,"totalTokenCount":4}})",
        "4/0/0(0)/0/0");
}

void a_plain_body_without_usage_is_worth_its_reservation()
{
    for (const ResponseForm &form : {anthropic, chat, responses, gemini}) {
        check_metered(form, R"({"x":1})", "~900/0/0(0)/500/0");
        CHECK_EQUAL(metered(form, "<html>not JSON</html>"), "~900/0/0(0)/500/0");
        CHECK_EQUAL(metered(form, ""), "~900/0/0(0)/500/0");
    }
}

void an_unknown_or_wrong_encoding_is_worth_its_reservation()
{
    ResponseForm form = chat_sse;
    form.content_encoding = "br";
    CHECK_EQUAL(metered(form, chat_stream), "~900/0/0(0)/500/0");
    form.content_encoding = "gzip";
    CHECK_EQUAL(metered(form, chat_stream), "~900/0/0(0)/500/0");
}

void figures_that_are_none_say_nothing()
{
    check_metered(chat, R"({"usage":{"prompt_tokens":"7","completion_tokens":-3}})",
                  "~900/0/0(0)/500/0");
    check_metered(chat, R"({"usage":{"prompt_tokens":7,"completion_tokens":1e300}})",
                  "7/0/0(0)/1000000000000/0");
    check_metered(anthropic, R"({"usage":[{"input_tokens":1,"output_tokens":2}]})",
                  "~900/0/0(0)/500/0");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(anthropic_answers_add_what_a_cache_was_involved_in),
        TEST(anthropic_streams_have_totals_that_grow),
        TEST(a_cut_anthropic_stream_is_estimated_from_what_was_seen),
        TEST(the_input_is_known_as_soon_as_it_is_said),
        TEST(text_is_no_more_output_than_was_granted_unless_the_provider_says_so),
        TEST(chat_answers_and_streams_are_read),
        TEST(a_chat_stream_without_usage_is_estimated),
        TEST(servers_that_send_usage_with_every_chunk_are_exact_at_the_end_only),
        TEST(reasoning_left_out_of_the_output_is_found_in_the_total),
        TEST(responses_say_it_in_their_last_event),
        TEST(embeddings_have_input_only),
        TEST(gemini_counts_thoughts_as_output_and_tools_as_input),
        TEST(a_plain_body_without_usage_is_worth_its_reservation),
        TEST(an_unknown_or_wrong_encoding_is_worth_its_reservation),
        TEST(figures_that_are_none_say_nothing),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
