#include "domain/context.hh"

#include "check.hh"
#include "support.hh"

#include "base/error.hh"
#include "domain/call_estimate.hh"
#include "domain/worktree.hh"

#include <unistd.h>

using namespace ap;

namespace {

struct Fixture
{
    check::TemporaryDirectory directory;
    ContextRequest request;
    Fixture()
    {
        request.directory = directory.path();
        request.scope = {"src"};
        run_git(directory.path(), {"init", "-q", "--template="});
        write("src/parser.c", "int parse(void) { return 1; }\n");
        write("src/writer.c", "int put(void) { return 2; }\n");
        write("tests/test_parser.c", "int main(void) { return parse() != 1; }\n");
        write("tests/test_other.c", "int main(void) { return 0; }\n");
        write("docs/LEARNED_RULES.md", "Free what you allocate.\n");
        write("docs/BUILD_HISTORY.md", "# History\n");
        write(".gitignore", "ignored.c\n");
    }
    void write(const std::string &name, const std::string &text) const
    {
        const std::string path = directory.file(name);
        make_directories(parent_path(path));
        write_file_atomically(path, text);
    }
    // "kind:path" of what is included, in order.
    std::string included() const
    {
        std::string text;
        for (const ContextItem &item : choose_context(request).items) {
            text += item.included ? item.kind + ":" + item.path + " " : "";
        }
        return text;
    }
    std::string why(const std::string &path) const
    {
        for (const ContextItem &item : choose_context(request).items) {
            if (item.path == path) {
                return item.why;
            }
        }
        return "not considered";
    }
};

void chooses_in_a_fixed_order()
{
    const Fixture fixture;
    const std::string first = fixture.included();
    CHECK(first.starts_with("rules:docs/LEARNED_RULES.md scope:src/parser.c "
                            "scope:src/writer.c tests:tests/test_parser.c "));
    CHECK(first.ends_with("ledger:docs/BUILD_HISTORY.md "));
    CHECK_EQUAL(fixture.included(), first);
}

void words_of_the_goal_count()
{
    Fixture fixture;
    fixture.request.goal = "The writer must append";
    CHECK(fixture.included().find("scope:src/writer.c scope:src/parser.c") !=
          std::string::npos);
}

void keeps_to_the_budget()
{
    Fixture fixture;
    fixture.request.budget = 70;
    const Context context = choose_context(fixture.request);
    CHECK(context.tokens <= 70);
    CHECK(fixture.why("src/parser.c").starts_with("does not fit: "));
    CHECK(token_bound(context.text) <= context.tokens);
}

void never_shows_secrets_or_ignored_files()
{
    const Fixture fixture;
    fixture.write("src/.env", "A=1\n");
    fixture.write("src/ignored.c", "int x;\n");
    fixture.write("src/keys.c", "char *k = \"ghp_0123456789abcdef0123\";\n");
    fixture.write("src/blob", std::string("\0\1", 2));
    CHECK(symlink("/etc/passwd", fixture.directory.file("src/link").c_str()) == 0);
    CHECK_EQUAL(fixture.why("src/.env"), "not considered");
    CHECK_EQUAL(fixture.why("src/ignored.c"), "not considered");
    CHECK_EQUAL(fixture.why("src/keys.c"), "holds what looks like a key");
    CHECK_EQUAL(fixture.why("src/blob"), "is binary");
    CHECK_EQUAL(fixture.why("src/link"), "is no regular file");
    CHECK(choose_context(fixture.request).text.find("ghp_") == std::string::npos);
}

void a_file_with_fences_gets_a_longer_one()
{
    const Fixture fixture;
    fixture.write("src/a.md", "```\ncode\n```\n");
    CHECK(choose_context(fixture.request).text.find("FILE: src/a.md\n````\n```\n") !=
          std::string::npos);
}

void a_file_that_is_too_long_is_outlined_if_that_fits()
{
    Fixture fixture;
    std::string text = "int first(int a)\n{\n    return a;\n}\n";
    text += "/* " + std::string(5000, 'x') + " */\nint second(void) { return 2; }\n";
    fixture.write("src/long.c", text);
    fixture.request.budget = 2000;
    const Context context = choose_context(fixture.request);
    CHECK(context.text.find("FILE: src/long.c (too long: what it defines)\n```\n"
                            "1 function first(int a)\n6 function second(void)\n```\n") !=
          std::string::npos);
    CHECK(context.tokens <= 2000);
    CHECK(fixture.why("src/long.c").ends_with(" tokens left, but for an outline"));
}

void learned_rules_from_elsewhere_are_shown_with_those_of_the_tree_once()
{
    Fixture fixture;
    fixture.request.rules = "Free what you allocate.\n- [check x] Test it.\n";
    CHECK(choose_context(fixture.request)
              .text.find("FILE: docs/LEARNED_RULES.md\n```\nFree what you allocate.\n"
                         "- [check x] Test it.\n```\n") != std::string::npos);
    remove_file(fixture.directory.file("docs/LEARNED_RULES.md"));
    CHECK(choose_context(fixture.request).text.starts_with("## Learned rules\n\nFILE: "));
    fixture.request.rules.clear();
    CHECK_EQUAL(fixture.why("docs/LEARNED_RULES.md"), "not considered");
}

void outside_a_repository_there_is_nothing_to_choose_from()
{
    const check::TemporaryDirectory directory;
    ContextRequest request;
    request.directory = directory.path();
    CHECK_THROWS(choose_context(request), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::Failed);
    });
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(chooses_in_a_fixed_order),
        TEST(words_of_the_goal_count),
        TEST(keeps_to_the_budget),
        TEST(never_shows_secrets_or_ignored_files),
        TEST(a_file_with_fences_gets_a_longer_one),
        TEST(a_file_that_is_too_long_is_outlined_if_that_fits),
        TEST(learned_rules_from_elsewhere_are_shown_with_those_of_the_tree_once),
        TEST(outside_a_repository_there_is_nothing_to_choose_from),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
