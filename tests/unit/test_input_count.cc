#include "check.hh"

#include "net/input_count.hh"

using namespace ap;

namespace {

void a_count_asks_with_the_members_that_counting_takes()
{
    const auto question =
        count_question(Dialect::AnthropicMessages, "/v1/messages?beta=true",
                       R"({"max_tokens": 5, "model": "m",
        "stream": true, "system": "s", "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.5, "metadata": {"user_id": "u"}})");
    CHECK(question.has_value());
    CHECK_EQUAL(question->target, "/v1/messages/count_tokens");
    CHECK_EQUAL(
        question->body,
        R"({"model":"m","system":"s","messages":[{"role":"user","content":"hi"}]})");
    CHECK(!count_question(Dialect::AnthropicMessages, "/v1/messages", "[1]"));
    CHECK(!count_question(Dialect::AnthropicMessages, "/v1/messages", "{"));
}

void openai_is_asked_about_a_response()
{
    const auto question =
        count_question(Dialect::OpenAiResponses, "/v1/responses",
                       R"({"model": "gpt-5", "input": "hi", "instructions": "i",
        "max_output_tokens": 20, "stream": true, "store": false, "include": ["x"],
        "reasoning": {"effort": "low"}, "tools": [{"type": "web_search"}]})");
    CHECK(question.has_value());
    CHECK_EQUAL(question->target, "/v1/responses/input_tokens");
    CHECK_EQUAL(question->body,
                R"({"model":"gpt-5","input":"hi","instructions":"i",)"
                R"("tools":[{"type":"web_search"}],"reasoning":{"effort":"low"}})");
}

void gemini_is_asked_about_all_of_a_request()
{
    for (const auto &[dialect, target] :
         {std::pair(Dialect::GeminiGenerate, "/v1beta/models/m:generateContent"),
          std::pair(Dialect::GeminiStream,
                    "/v1beta/models/m:streamGenerateContent?alt=sse&key=k")}) {
        const auto question = count_question(
            dialect, target,
            R"({"contents": [], "systemInstruction": {"parts": []}, "tools": []})");
        CHECK(question.has_value());
        CHECK_EQUAL(question->target, "/v1beta/models/m:countTokens");
        CHECK_EQUAL(
            question->body,
            R"({"generateContentRequest":{"contents":[],)"
            R"("systemInstruction":{"parts":[]},"tools":[],"model":"models/m"}})");
    }
    const auto tuned = count_question(Dialect::GeminiGenerate,
                                      "/v1beta/tunedModels/m:generateContent", "{}");
    CHECK_EQUAL(tuned->body, R"({"generateContentRequest":{"model":"tunedModels/m"}})");
}

void only_a_good_answer_tells_a_count()
{
    CHECK_EQUAL(counted_input(200, R"({"input_tokens": 17})").value_or(-1), 17);
    CHECK_EQUAL(counted_input(200, R"({"object": "response.input_tokens",
                                       "input_tokens": 11})")
                    .value_or(-1),
                11);
    CHECK_EQUAL(counted_input(200, R"({"totalTokens": 31})").value_or(-1), 31);
    CHECK(!counted_input(404, R"({"input_tokens": 17})"));
    CHECK(!counted_input(200, R"({"input_tokens": -1})"));
    CHECK(!counted_input(200, R"({"input_tokens": "17"})"));
    CHECK(!counted_input(200, "<html>"));
    CHECK(!counted_input(200, ""));
}

void a_count_is_reserved_with_a_margin()
{
    CHECK_EQUAL(input_from_count(0), 64);
    CHECK_EQUAL(input_from_count(3200), 3364);
}

void only_where_there_is_counting_it_is_asked_for()
{
    CHECK(can_count_input(Dialect::AnthropicMessages));
    CHECK(!can_count_input(Dialect::OpenAiChat));
    CHECK(can_count_input(Dialect::OpenAiResponses));
    CHECK(can_count_input(Dialect::GeminiGenerate));
    CHECK(can_count_input(Dialect::GeminiStream));
    CHECK(!can_count_input(Dialect::OpenAiEmbeddings));
    CHECK(!count_question(Dialect::OpenAiChat, "/v1/chat/completions", "{}"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_count_asks_with_the_members_that_counting_takes),
        TEST(openai_is_asked_about_a_response),
        TEST(gemini_is_asked_about_all_of_a_request),
        TEST(only_a_good_answer_tells_a_count),
        TEST(a_count_is_reserved_with_a_margin),
        TEST(only_where_there_is_counting_it_is_asked_for),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
