#include "domain/repository_map.hh"

#include "check.hh"
#include "support.hh"

#include "domain/call_estimate.hh"

using namespace ap;

namespace {

const std::set<std::string> paths = {"README", "src/parser.c", "src/writer.c"};
const Outlines outlines = {{"src/parser.c", {"1 function parse(void)"}},
                           {"src/writer.c", {"1 function put(void)"}}};

void reads_what_files_define()
{
    const check::TemporaryDirectory directory;
    replace_file(directory.file("a.c"), "int one(int n) { return n; }\n\nstruct two;\n"
                                        "static void three(void) {}\n");
    replace_file(directory.file("README"), "none\n");
    const Outlines read = outline_files(directory.path(), {"README", "a.c"});
    CHECK_EQUAL(read.size(), 1);
    CHECK(read.at("a.c") ==
          std::vector<std::string>({"1 function one(int n)", "4 function three(void)"}));
}

void has_all_names_and_what_they_define()
{
    const RepositoryMap map = repository_map(paths, outlines, GoalWords(""), 1000);
    CHECK_EQUAL(map.text, "README\nsrc/parser.c\n  1 function parse(void)\n"
                          "src/writer.c\n  1 function put(void)\n\n");
    CHECK_EQUAL(map.why, "3 of 3 files, 2 of 2 outlines");
}

void want_of_room_takes_outlines_first_and_the_goal_chooses_among_them()
{
    const int64_t names = token_bound("README\nsrc/parser.c\nsrc/writer.c\n");
    const RepositoryMap map =
        repository_map(paths, outlines, GoalWords("change the writer"), 2 * names);
    CHECK_EQUAL(map.text,
                "README\nsrc/parser.c\nsrc/writer.c\n  1 function put(void)\n\n");
    CHECK(map.tokens <= 2 * names);
    CHECK_EQUAL(repository_map(paths, {}, GoalWords(""), names).why,
                "1 of 3 files, 0 of 0 outlines");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(reads_what_files_define),
        TEST(has_all_names_and_what_they_define),
        TEST(want_of_room_takes_outlines_first_and_the_goal_chooses_among_them),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
