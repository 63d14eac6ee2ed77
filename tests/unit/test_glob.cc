#include "base/glob.hh"

#include "check.hh"

#include <string>

using namespace ap;

namespace {

void a_star_stays_within_a_piece()
{
    CHECK(glob_names("src/*.c", "src/a.c"));
    CHECK(!glob_names("src/*.c", "src/deep/a.c"));
    CHECK(!glob_names("src/*", "src/deep/a.c"));
    CHECK(glob_names("src/[ab]?.c", "src/a1.c"));
    CHECK(!glob_names("src/[ab]?.c", "src/c1.c"));
    CHECK(!glob_names("*", "src/a.c"));
    CHECK(glob_names("*", "a.c"));
}

void two_stars_are_any_number_of_pieces()
{
    CHECK(glob_names("**", "a/b/c"));
    CHECK(glob_names("src/**", "src/a/b.c"));
    CHECK(glob_names("**/b.c", "b.c"));
    CHECK(glob_names("**/b.c", "x/y/b.c"));
    CHECK(glob_names("a/**/z/*.c", "a/b/z/z/x.c"));
    CHECK(!glob_names("a/**/z/*.c", "a/b/x.c"));
    CHECK(!glob_names("src/**", "other/a"));
}

void a_plain_name_covers_what_is_below()
{
    CHECK(glob_names("src", "src/a/b.c"));
    CHECK(glob_names("src/", "src/a.c"));
    CHECK(glob_names("./src", "src/a.c"));
    CHECK(glob_names("**/tests", "lib/tests/a.c"));
    CHECK(!glob_names("src", "src2/a.c"));
    CHECK(!glob_names("src/a.c", "src"));
}

void an_empty_glob_names_nothing()
{
    CHECK(!glob_names("", "a"));
    CHECK(!glob_names("/", "a"));
}

void many_stars_cost_little()
{
    std::string glob;
    std::string path;
    for (int i = 0; i < 200; i++) {
        glob += "**/a/";
        path += "a/";
    }
    CHECK(!glob_names(glob + "b*", path + "c"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_star_stays_within_a_piece),
        TEST(two_stars_are_any_number_of_pieces),
        TEST(a_plain_name_covers_what_is_below),
        TEST(an_empty_glob_names_nothing),
        TEST(many_stars_cost_little),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
