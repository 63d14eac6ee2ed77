#include "domain/file_relevance.hh"

#include "check.hh"

using namespace ap;

namespace {

void words_of_the_goal_count_in_path_and_text()
{
    const GoalWords words("Let the Parser read add_rule()");
    CHECK_EQUAL(words.points("src/parser.c", "int x;"), 3);
    CHECK_EQUAL(words.points("src/other.c", "void add_rule(void); /* the parser's */"),
                2);
    CHECK_EQUAL(words.points("src/let.c", "the let of a"), 0);
    CHECK_EQUAL(GoalWords("").points("a", "b"), 0);
}

void points_have_an_end()
{
    std::string goal;
    for (int i = 1000; i < 1200; i++) {
        goal += "word" + std::to_string(i) + " ";
    }
    CHECK_EQUAL(GoalWords(goal).points("a", goal), 99);
}

void a_file_and_its_test_have_the_same_stem()
{
    for (const char *path : {"tests/test_parser.py", "parser_test.go",
                             "src/parser.test.ts", "spec/parser.spec.js"}) {
        CHECK(looks_like_test(path));
        CHECK_EQUAL(test_stem(path), "parser");
    }
    CHECK_EQUAL(test_stem("lib/Parser.cc"), "parser");
    CHECK(!looks_like_test("src/parser.c"));
    CHECK(!looks_like_test("src/latest.c"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(words_of_the_goal_count_in_path_and_text),
        TEST(points_have_an_end),
        TEST(a_file_and_its_test_have_the_same_stem),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
