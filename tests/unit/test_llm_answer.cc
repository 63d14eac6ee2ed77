#include "check.hh"

#include "domain/llm_answer.hh"

using namespace ap;

namespace {

constexpr std::string_view anthropic =
    "event: message_start\n"
    R"(data: {"type":"message_start","message":{"id":"msg_1","model":"claude"}})"
    "\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n"
    R"(data: {"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"no"}})"
    "\n\n"
    R"(data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"Hé"}})"
    "\n\n"
    R"(data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"llo"}})"
    "\n\n"
    R"(data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}})"
    "\n\n";

constexpr std::string_view openai =
    R"(data: {"id":"c1","model":"gpt","choices":[{"delta":{"role":"assistant","content":""}}]})"
    "\n\n"
    R"(data: {"id":"c1","choices":[{"delta":{"content":"Hello"},"finish_reason":null}]})"
    "\n\n"
    R"(data: {"id":"c1","choices":[{"delta":{},"finish_reason":"stop"}]})"
    "\n\n"
    R"(data: {"id":"c1","choices":[],"usage":{"prompt_tokens":1}})"
    "\n\ndata: [DONE]\n\n";

constexpr std::string_view gemini =
    R"(data: {"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"Hel"}]}}],"modelVersion":"g","responseId":"r"})"
    "\r\n\r\n"
    R"(data: {"candidates":[{"content":{"parts":[{"text":"lo"}]},"finishReason":"STOP"}]})"
    "\r\n\r\n";

std::string read(LlmAnswer &answer, std::string_view stream, size_t step)
{
    std::string text;
    for (size_t i = 0; i < stream.size(); i += step) {
        text += answer.feed(stream.substr(i, step));
    }
    return text;
}

void check_answer(LlmDialect dialect, std::string_view stream, std::string_view text,
                  std::string_view stop, std::string_view model, std::string_view id)
{
    for (const size_t step : {size_t{1}, size_t{2}, size_t{7}, stream.size()}) {
        LlmAnswer answer(dialect);
        CHECK_EQUAL(read(answer, stream, step), text);
        CHECK_EQUAL(answer.stop_reason(), stop);
        CHECK_EQUAL(answer.model(), model);
        CHECK_EQUAL(answer.id(), id);
        CHECK_EQUAL(answer.error(), "");
    }
}

void reads_anthropics_stream_split_anywhere()
{
    check_answer(LlmDialect::Anthropic, anthropic, "Héllo", "end_turn", "claude",
                 "msg_1");
}

void reads_openais_stream_split_anywhere()
{
    check_answer(LlmDialect::OpenAi, openai, "Hello", "stop", "gpt", "c1");
}

void reads_geminis_stream_split_anywhere()
{
    check_answer(LlmDialect::Gemini, gemini, "Hello", "STOP", "g", "r");
}

void tells_text_as_soon_as_its_event_is_whole()
{
    LlmAnswer answer(LlmDialect::OpenAi);
    const std::string event = R"(data: {"choices":[{"delta":{"content":"now"}}]})"
                              "\n";
    CHECK_EQUAL(answer.feed(event), "");
    CHECK_EQUAL(answer.feed("\n"), "now");
    CHECK_EQUAL(answer.stop_reason(), "");
}

void tells_of_an_error_in_the_stream()
{
    LlmAnswer answer(LlmDialect::Anthropic);
    answer.feed("event: error\ndata: {\"type\":\"error\",\"error\":"
                "{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n");
    CHECK_EQUAL(answer.error(), "Overloaded");
}

void passes_over_events_that_are_no_json_or_too_long()
{
    LlmAnswer answer(LlmDialect::OpenAi);
    answer.feed("data: {\"choices\":[{\"delta\"\n\n");
    for (int i = 0; i < 5; i++) {
        answer.feed("data: " + std::string(1 << 20, 'x') + "\n");
    }
    answer.feed("\n");
    CHECK_EQUAL(answer.feed("data: {\"choices\":[{\"delta\":{\"content\":\"on\"}}]}\n\n"),
                "on");
}

void tells_refusals_apart()
{
    const auto status = [](int code, std::string_view refusal, std::string_view body) {
        return read_llm_failure(code, refusal, body).status;
    };
    CHECK(status(400, "", "{}") == ExitStatus::BadData);
    CHECK(status(400, "budget", "{}") == ExitStatus::BudgetExhausted);
    CHECK(status(429, "", R"({"error": {"code": "insufficient_quota"}})") ==
          ExitStatus::BudgetExhausted);
    CHECK(status(503, "breaker", "") == ExitStatus::BreakerOpen);
    CHECK(status(429, "busy", "") == ExitStatus::TryAgain);
    CHECK(status(401, "key", "") == ExitStatus::NoPermission);
    CHECK(status(404, "route", "") == ExitStatus::BadData);
    CHECK(status(502, "provider", "") == ExitStatus::Unavailable);
    CHECK(status(429, "", "") == ExitStatus::TryAgain);
    CHECK(status(529, "", "") == ExitStatus::Unavailable);
    CHECK(status(302, "", "") == ExitStatus::Unavailable);
}

void a_failures_message_is_one_line()
{
    CHECK_EQUAL(
        read_llm_failure(404, "", R"({"error": {"message": "no\nsuch model"}})").message,
        "status 404: no\\x0asuch model");
    CHECK_EQUAL(read_llm_failure(502, "", "<html>").message, "status 502: <html>");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(reads_anthropics_stream_split_anywhere),
        TEST(reads_openais_stream_split_anywhere),
        TEST(reads_geminis_stream_split_anywhere),
        TEST(tells_text_as_soon_as_its_event_is_whole),
        TEST(tells_of_an_error_in_the_stream),
        TEST(passes_over_events_that_are_no_json_or_too_long),
        TEST(tells_refusals_apart),
        TEST(a_failures_message_is_one_line),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
