#include "domain/patch_match.hh"

#include "check.hh"

using namespace ap;

namespace {

std::vector<Hunk> hunks_of(const std::string &body)
{
    return parse_patch("```\n--- a/x\n+++ b/x\n" + body + "```\n").files.at(0).hunks;
}

PatchedText patched(std::string_view text, const std::string &body, int fuzz = 2)
{
    return patch_text(text, hunks_of(body), fuzz);
}

std::string why(const PatchedText &result)
{
    return result.rejections.empty() ? "" : result.rejections.front().why;
}

void finds_a_hunk_off_its_line()
{
    const PatchedText result =
        patched("0\n0\na\nb\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
    CHECK_EQUAL(result.text, "0\n0\na\nB\nc\n");
    CHECK_EQUAL(result.places[0].line, 3);
    CHECK_EQUAL(result.places[0].offset.value_or(0), 2);
    CHECK_EQUAL(result.places[0].level, MatchLevel::Exact);
}

void of_several_places_takes_the_stated_one()
{
    const std::string hunk = "@@ -4,3 +4,3 @@\n a\n-b\n+B\n c\n";
    CHECK_EQUAL(patched("a\nb\nc\na\nb\nc\na\nb\nc\n", hunk).text,
                "a\nb\nc\na\nB\nc\na\nb\nc\n");
}

void rejects_what_fits_several_places()
{
    const PatchedText result =
        patched("a\nb\nc\na\nb\nc\n", "@@ -2,3 +2,3 @@\n a\n-b\n+B\n c\n");
    CHECK_EQUAL(why(result), "it fits more than one place: line 1, 4");
    // The header contradicts itself: its numbers are not to be trusted.
    CHECK(!patched("a\nb\nc\na\nb\nc\n", "@@ -1,3 +4,3 @@\n a\n-b\n+B\n c\n")
               .rejections.empty());
    // The first hunk was found elsewhere than it says.
    CHECK(!patched("z\nq\na\nb\nc\na\nb\nc\n",
                   "@@ -1 +1 @@\n-q\n+Q\n@@ -3,3 +3,3 @@\n a\n-b\n+B\n c\n")
               .rejections.empty());
}

void without_context_behind_it_the_end_is_meant()
{
    CHECK(
        !patched("a\nb\nx\na\nb\n", "@@ -1,2 +1,2 @@\n a\n-b\n+B\n").rejections.empty());
    CHECK_EQUAL(patched("a\nb\nx\na\nb\n", "@@ -4,2 +4,2 @@\n a\n-b\n+B\n").text,
                "a\nb\nx\na\nB\n");
}

void added_lines_alone_have_no_place()
{
    CHECK_EQUAL(why(patched("a\n", "@@ -0,0 +1 @@\n+b\n")),
                "it has no context or removed lines to find its place by");
    CHECK_EQUAL(patched("", "@@ -0,0 +1 @@\n+b\n").text, "b\n");
}

void blanks_at_line_ends_may_differ()
{
    const PatchedText result =
        patched("a  \nb\nc\n", "@@ -1,3 +1,3 @@\n a\n-b \n+B\n c\n");
    CHECK_EQUAL(result.text, "a  \nB\nc\n");
    CHECK_EQUAL(result.places[0].level, MatchLevel::Blanks);
    CHECK(!patched("a  \nb\nc\n", "@@ -1,3 +1,3 @@\n a\n-b \n+B\n c\n", -1)
               .rejections.empty());
}

void added_lines_get_the_line_ends_of_the_file()
{
    CHECK_EQUAL(patched("a\r\nb\r\n", "@@ -1,2 +1,2 @@\n a\n-b\n+B\n").text,
                "a\r\nB\r\n");
}

void indentation_may_differ_by_the_same()
{
    const PatchedText result =
        patched("    if x:\n        y\n\n    z\n",
                "@@ -1,4 +1,4 @@\n if x:\n-    y\n+    Y\n \n z\n");
    CHECK_EQUAL(result.text, "    if x:\n        Y\n\n    z\n");
    CHECK_EQUAL(result.places[0].level, MatchLevel::Indent);
    CHECK(!patched("    if x:\n      y\n", "@@ -1,2 +1,2 @@\n if x:\n-    y\n+    Y\n", 0)
               .rejections.empty());
}

void context_at_the_ends_may_differ()
{
    const std::string hunk = "@@ -1,5 +1,5 @@\n other\n a\n-b\n+B\n c\n different\n";
    CHECK_EQUAL(patched("x\na\nb\nc\ny\n", hunk).text, "x\na\nB\nc\ny\n");
    CHECK(!patched("x\na\nb\nc\ny\n", hunk, 0).rejections.empty());
    CHECK(!patched("x\nA\nb\nC\ny\n", hunk, 1).rejections.empty());
}

void braces_alone_do_not_make_a_place()
{
    CHECK(!patched("x\n}\ny\n", "@@ -1,3 +1,3 @@\n one\n-}\n+};\n two\n")
               .rejections.empty());
}

void tells_the_nearest_place()
{
    const PatchedText result =
        patched("1\n2\na\nb\nc\n", "@@ -1,3 +1,3 @@\n a\n-q\n+B\n c\n", 0);
    CHECK_EQUAL(result.rejections[0].nearest.value_or(0), 3);
    CHECK_EQUAL(result.rejections[0].expected, "q");
    CHECK_EQUAL(result.rejections[0].found, "b");
}

void a_last_line_without_newline_gets_one_when_more_follows()
{
    CHECK_EQUAL(patched("a\nb", "@@ -1,2 +1,3 @@\n a\n b\n+c\n").text, "a\nb\nc\n");
    CHECK_EQUAL(patched("a\nb", "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n"
                                "+c\n\\ No newline at end of file\n")
                    .text,
                "a\nc");
}

void a_hunk_does_not_find_what_another_added()
{
    CHECK(!patched("a\nz\n", "@@ -1,2 +1,2 @@\n-a\n+b\n z\n@@ -1,1 +1,1 @@\n-b\n+c\n")
               .rejections.empty());
}

void an_edit_is_found_once_anywhere_in_a_line()
{
    const auto edit = [](std::string_view text, const std::string &search) {
        const Patch patch =
            parse_patch("{\"files\": [{\"path\": \"x\", \"edits\": [{\"search\": \"" +
                        search + "\", \"replace\": \"new\"}]}]}");
        return patch_text(text, patch.files[0].hunks, 2);
    };
    CHECK_EQUAL(edit("int old = 1;\n", "old").text, "int new = 1;\n");
    CHECK(why(edit("old old\n", "old")).starts_with("its text is there more than once"));
    CHECK_EQUAL(why(edit("int x\n", "old")), "its lines are nowhere in the file");
}

void a_search_that_takes_too_long_is_given_up()
{
    std::string text;
    for (int i = 0; i < 200'000; i++) {
        text += "x\n";
    }
    std::string body = "@@ -1,2001 +1,2001 @@\n";
    for (int i = 0; i < 2000; i++) {
        body += " x\n";
    }
    CHECK_EQUAL(why(patched(text, body + "-y\n+z\n")),
                "the search for its place takes too long");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(finds_a_hunk_off_its_line),
        TEST(of_several_places_takes_the_stated_one),
        TEST(rejects_what_fits_several_places),
        TEST(without_context_behind_it_the_end_is_meant),
        TEST(added_lines_alone_have_no_place),
        TEST(blanks_at_line_ends_may_differ),
        TEST(added_lines_get_the_line_ends_of_the_file),
        TEST(indentation_may_differ_by_the_same),
        TEST(context_at_the_ends_may_differ),
        TEST(braces_alone_do_not_make_a_place),
        TEST(tells_the_nearest_place),
        TEST(a_last_line_without_newline_gets_one_when_more_follows),
        TEST(a_hunk_does_not_find_what_another_added),
        TEST(an_edit_is_found_once_anywhere_in_a_line),
        TEST(a_search_that_takes_too_long_is_given_up),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
