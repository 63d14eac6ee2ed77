#include "check.hh"

#include "domain/answer_text.hh"

using namespace ap;

namespace {

void every_dialects_word_for_truncated_is_known()
{
    for (const char *reason : {"max_tokens", "length", "MAX_TOKENS"}) {
        CHECK(is_truncated(reason));
    }
    for (const char *reason : {"end_turn", "stop", "STOP", ""}) {
        CHECK(!is_truncated(reason));
    }
}

void pieces_are_joined_to_the_byte()
{
    CHECK_EQUAL(join_answer("int ma", "in(void)\n"), "int main(void)\n");
    CHECK_EQUAL(join_answer("a\n", "a\n"), "a\na\n");
}

void a_repetition_is_left_out()
{
    const std::string end = "    the last line that was said before the cut\n";
    CHECK_EQUAL(join_answer("x\n" + end, end + "more\n"), "x\n" + end + "more\n");
}

void a_fence_that_is_opened_again_is_left_out()
{
    CHECK_EQUAL(join_answer("```c\nint a;\n", "```c\nint b;\n```\n"),
                "```c\nint a;\nint b;\n```\n");
    // One that closes is not, nor one outside of a block.
    CHECK_EQUAL(join_answer("```c\nint a;\n", "```\nprose"), "```c\nint a;\n```\nprose");
    CHECK_EQUAL(join_answer("prose\n", "```c\nint b;\n```\n"),
                "prose\n```c\nint b;\n```\n");
}

void finds_the_object_of_an_answer()
{
    for (const char *answer :
         {R"({"a": 1})", "\n {\"a\": 1} \n", "Here:\n```json\n{\"a\": 1}\n```\nDone {x}.",
          "The answer is {\"a\": 1}, I think."}) {
        CHECK_EQUAL(object_in_answer(answer)->get_integer("a").value_or(0), 1);
    }
    for (const char *answer : {"", "no", "[1]", "{broken", "} {", "{\"a\": }"}) {
        CHECK(!object_in_answer(answer));
    }
}

void what_is_fenced_cannot_end_its_block()
{
    CHECK_EQUAL(fenced("a\n", "c"), "```c\na\n```\n");
    CHECK_EQUAL(fenced("a\n```\nb"), "````\na\n```\nb\n````\n");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(every_dialects_word_for_truncated_is_known),
        TEST(pieces_are_joined_to_the_byte),
        TEST(a_repetition_is_left_out),
        TEST(a_fence_that_is_opened_again_is_left_out),
        TEST(finds_the_object_of_an_answer),
        TEST(what_is_fenced_cannot_end_its_block),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
