#include "check.hh"

#include "net/input_count.hh"

using namespace ap;

namespace {

void a_count_asks_with_the_members_that_counting_takes()
{
    const auto body = count_request_body(R"({"max_tokens": 5, "model": "m",
        "stream": true, "system": "s", "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.5, "metadata": {"user_id": "u"}})");
    CHECK(body.has_value());
    CHECK_EQUAL(
        *body,
        R"({"model":"m","system":"s","messages":[{"role":"user","content":"hi"}]})");
    CHECK(!count_request_body("[1]"));
    CHECK(!count_request_body("{"));
}

void only_a_good_answer_tells_a_count()
{
    CHECK_EQUAL(counted_input(200, R"({"input_tokens": 17})").value_or(-1), 17);
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
    CHECK(!can_count_input(Dialect::OpenAiResponses));
    CHECK(!can_count_input(Dialect::GeminiGenerate));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_count_asks_with_the_members_that_counting_takes),
        TEST(only_a_good_answer_tells_a_count),
        TEST(a_count_is_reserved_with_a_margin),
        TEST(only_where_there_is_counting_it_is_asked_for),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
