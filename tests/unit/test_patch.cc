#include "domain/patch.hh"

#include "check.hh"

#include "base/error.hh"

using namespace ap;

namespace {

std::string fault_of(std::string_view text, const PatchReading &reading = {})
{
    try {
        static_cast<void>(parse_patch(text, reading));
    } catch (const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
        return error.what();
    }
    return "";
}

FilePatch only_file(std::string_view text, const PatchReading &reading = {})
{
    Patch patch = parse_patch(text, reading);
    CHECK_EQUAL(patch.files.size(), 1U);
    return std::move(patch.files.front());
}

// "one of kind, one of text" for each line of the first hunk.
std::string lines_of_hunk(const FilePatch &file, size_t index = 0)
{
    std::string text;
    for (const HunkLine &line : file.hunks.at(index).lines) {
        text += line.kind + line.text;
    }
    return text;
}

void reads_a_diff_of_git_amid_prose()
{
    const Patch patch = parse_patch("Sure:\n\n```diff\n"
                                    "diff --git a/src/a.c b/src/a.c\n"
                                    "index 1..2 100644\n"
                                    "--- a/src/a.c\n+++ b/src/a.c\n"
                                    "@@ -1,2 +1,2 @@ main\n a\n-b\n+c\n"
                                    "```\n- done\n");
    CHECK_EQUAL(patch.format, PatchFormat::Diff);
    CHECK_EQUAL(patch.files.size(), 1U);
    CHECK_EQUAL(patch.files[0].path, "src/a.c");
    CHECK_EQUAL(patch.files[0].action, FileAction::Modify);
    CHECK_EQUAL(patch.files[0].hunks[0].old_start.value_or(0), 1);
    CHECK_EQUAL(lines_of_hunk(patch.files[0]), " a\n-b\n+c\n");
}

void reads_new_removed_and_renamed_files()
{
    const Patch patch = parse_patch("diff --git a/n b/n\nnew file mode 100755\n"
                                    "--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n"
                                    "diff --git a/g b/g\ndeleted file mode 100644\n"
                                    "--- a/g\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
                                    "diff --git a/old name b/new name\n"
                                    "similarity index 100%\n"
                                    "rename from old name\nrename to new name\n"
                                    "diff --git a/e b/e\nnew file mode 100644\n");
    CHECK_EQUAL(patch.files.size(), 4U);
    CHECK_EQUAL(patch.files[0].action, FileAction::Create);
    CHECK_EQUAL(patch.files[0].content, "x\n");
    CHECK_EQUAL(patch.files[0].mode.value_or(0), 0100755U);
    CHECK_EQUAL(patch.files[1].action, FileAction::Delete);
    CHECK_EQUAL(patch.files[2].action, FileAction::Rename);
    CHECK_EQUAL(patch.files[2].source, "old name");
    CHECK_EQUAL(patch.files[2].path, "new name");
    CHECK_EQUAL(patch.files[3].path, "e");
    CHECK_EQUAL(patch.files[3].content, "");
}

void takes_prefixes_off_where_both_names_have_them()
{
    const auto path = [](std::string_view old_name, std::string_view new_name,
                         const PatchReading &reading = {}) {
        return only_file("--- " + std::string(old_name) + "\n+++ " +
                             std::string(new_name) + "\n@@ -1 +1 @@\n-a\n+b\n",
                         reading)
            .path;
    };
    CHECK_EQUAL(path("a/x/y", "b/x/y"), "x/y");
    CHECK_EQUAL(path("src/y", "src/y"), "src/y");
    CHECK_EQUAL(path("a/y", "a/y"), "a/y");
    CHECK_EQUAL(path("y.orig", "y"), "y");
    CHECK_EQUAL(path("p/q/y", "p/q/y", {PatchFormat::Auto, 2, false}), "y");
    CHECK_EQUAL(path("\"a/\\303\\244\"", "\"b/\\303\\244\""), "\xc3\xa4");
    CHECK_EQUAL(path("a/y\t2020-01-01", "b/y\t2020-01-02"), "y");
}

void keeps_a_file_without_a_newline_at_its_end()
{
    const FilePatch file = only_file("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n"
                                     "\\ No newline at end of file\n+b\n"
                                     "\\ No newline at end of file\n");
    CHECK_EQUAL(lines_of_hunk(file), "-a+b");
}

void takes_miscounted_hunks_as_they_stand()
{
    const FilePatch file =
        only_file("```\n--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n a\n\n-b\n+c\n"
                  "@@ -20,1 +20,1 @@\n d\n-e\n+f\n```\n");
    CHECK_EQUAL(file.hunks.size(), 2U);
    CHECK_EQUAL(lines_of_hunk(file), " a\n \n-b\n+c\n");
    CHECK_EQUAL(lines_of_hunk(file, 1), " d\n-e\n+f\n");
}

void removed_lines_may_look_like_a_header()
{
    const FilePatch file = only_file(
        "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n--- a\n+++ b\n c\n@@ -9 +9 @@\n-d\n+e\n");
    CHECK_EQUAL(lines_of_hunk(file), "--- a\n+++ b\n c\n");
    CHECK_EQUAL(file.hunks.size(), 2U);
}

void refuses_what_is_cut_off()
{
    CHECK_EQUAL(
        fault_of("--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n-b\n"),
        "line 3: the hunk is cut off: expected 3 old and 3 new lines, got 2 and 1");
    CHECK_EQUAL(fault_of("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+ha"),
                "line 5: the input ends within a line");
    CHECK_EQUAL(fault_of("FILE: x\n```\nabc\n"),
                "line 2: the fenced block of 'x' does not end");
    CHECK_EQUAL(fault_of("x\n<<<<<<< SEARCH\na\n=======\nb\n"),
                "line 2: the block does not end");
    CHECK(!fault_of("{\"files\": [{\"path\": \"x\", \"content\": \"").empty());
    CHECK_EQUAL(fault_of("diff --git a/x b/x\nindeX 1..2 100644\n-a\n+b\n"),
                "line 1: expected a change of the file below its name, got none");
}

void refuses_what_contradicts_itself()
{
    CHECK_EQUAL(fault_of("diff --git a/x b/x\n--- a/x\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n"),
                "line 2: expected the names of the line 'diff --git', got others");
    CHECK_EQUAL(
        fault_of("diff --git a/x b/x+y\n--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n"),
        "line 2: expected 'deleted file mode' below a line 'diff --git' without the "
        "file's name");
    CHECK_EQUAL(fault_of("--- a/x\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n"),
                "line 1: two names, 'x' and 'y': a file is renamed by 'rename from' and "
                "'rename to'");
    CHECK_EQUAL(fault_of("--- /dev/null\n+++ b/y\n@@ -0,0 +1,2 @@\n b\n+c\n"),
                "line 1: a new file has one hunk, with added lines only");
    CHECK_EQUAL(fault_of("diff --git a/x b/x\nnew mode 10064x\n"),
                "line 2: expected a mode such as 100644, got '10064x'");
    CHECK_EQUAL(fault_of("text\n@@ -1 +1 @@\n-a\n+b\n", {PatchFormat::Diff, {}, false}),
                "line 2: expected '--- FILE' and '+++ FILE' before a hunk");
}

void reverses_a_diff()
{
    const FilePatch file = only_file("--- /dev/null\n+++ b/y\n@@ -0,0 +1 @@\n+b\n",
                                     {PatchFormat::Auto, {}, true});
    CHECK_EQUAL(file.action, FileAction::Delete);
    CHECK_EQUAL(lines_of_hunk(file), "-b\n");
}

void reads_search_and_replace_blocks()
{
    const Patch patch =
        parse_patch("First:\n\n**src/a.c**\n```c\n<<<<<<< SEARCH\na\nb\n"
                    "=======\na\nc\n>>>>>>> REPLACE\n```\n"
                    "<<<<<<< SEARCH\nd\n=======\n>>>>>>> REPLACE\n"
                    "new.c\n<<<<<<< SEARCH\n=======\nx\n>>>>>>> REPLACE\n");
    CHECK_EQUAL(patch.format, PatchFormat::Edits);
    CHECK_EQUAL(patch.files.size(), 2U);
    CHECK_EQUAL(patch.files[0].path, "src/a.c");
    CHECK_EQUAL(lines_of_hunk(patch.files[0]), " a\n-b\n+c\n");
    CHECK_EQUAL(lines_of_hunk(patch.files[0], 1), "-d\n");
    CHECK_EQUAL(patch.files[1].path, "new.c");
    CHECK_EQUAL(lines_of_hunk(patch.files[1]), "+x\n");
}

void a_block_with_markers_in_it_needs_longer_ones()
{
    CHECK_EQUAL(
        fault_of("x\n<<<<<<< SEARCH\na\n=======\nb\n=======\n>>>>>>> REPLACE\n"),
        "line 6: expected the block's '>>>>>>> REPLACE', got '======='; text that "
        "has such lines needs longer markers");
    const FilePatch file =
        only_file("x\n<<<<<<<< SEARCH\nHead\n=======\n========\nTitle\n"
                  "=======\n>>>>>>>> REPLACE\n");
    CHECK_EQUAL(lines_of_hunk(file), "-Head\n+Title\n =======\n");
}

void a_block_needs_a_path()
{
    CHECK_EQUAL(fault_of("<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n"),
                "line 1: expected the file's path on the line before the block");
    CHECK_EQUAL(
        fault_of("Now do this:\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n"),
        "line 2: expected the file's path on the line before the block, got 'Now do "
        "this:'");
}

void reads_whole_files()
{
    const Patch patch = parse_patch("### FILE: `a.md`\n\n````markdown\n# T\n```\nx\n```\n"
                                    "````\nDELETE: old.md\n");
    CHECK_EQUAL(patch.format, PatchFormat::Files);
    CHECK_EQUAL(patch.files.size(), 2U);
    CHECK_EQUAL(patch.files[0].path, "a.md");
    CHECK_EQUAL(patch.files[0].content, "# T\n```\nx\n```\n");
    CHECK_EQUAL(patch.files[1].action, FileAction::Delete);
    CHECK_EQUAL(patch.files[1].path, "old.md");
}

void a_named_file_with_a_diff_below_is_a_diff()
{
    const Patch patch =
        parse_patch("FILE: x\n```diff\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"
                    "```\n");
    CHECK_EQUAL(patch.format, PatchFormat::Diff);
}

void reads_json_in_a_fence()
{
    const Patch patch = parse_patch(
        "Here:\n```json\n{\"files\": [\n{\"path\": \"a\", \"content\": \"x\\n\"},\n"
        "{\"path\": \"b\", \"edits\": [{\"search\": \"1\", \"replace\": \"2\"}]},\n"
        "{\"path\": \"c\", \"delete\": true}, {\"path\": \"d\", \"rename_from\": "
        "\"e\"},\n"
        "{\"path\": \"f\", \"content_base64\": \"AAE=\", \"mode\": \"755\"}]}\n```\n");
    CHECK_EQUAL(patch.format, PatchFormat::Json);
    CHECK_EQUAL(patch.files.size(), 5U);
    CHECK_EQUAL(patch.files[0].content, "x\n");
    CHECK_EQUAL(patch.files[1].hunks[0].search.value_or(""), "1");
    CHECK_EQUAL(patch.files[2].action, FileAction::Delete);
    CHECK_EQUAL(patch.files[3].source, "e");
    CHECK_EQUAL(patch.files[4].content.size(), 2U);
    CHECK(patch.files[4].binary);
}

void refuses_json_that_says_two_things()
{
    CHECK_EQUAL(
        fault_of("{\"files\": [{\"path\": \"a\", \"content\": \"\", \"delete\": true}]}"),
        "the change: /files/0/path: expected one of content, content_base64, edits, "
        "delete, rename_from or mode beside it, got \"a\"");
    CHECK(fault_of("{\"files\": [{\"path\": \"a\", \"content\": \"\", \"more\": 1}]}")
              .find("more") != std::string::npos);
}

void a_text_without_a_change_is_refused()
{
    CHECK(fault_of("I would rather not.\n").starts_with("expected a diff"));
    CHECK(fault_of("").starts_with("expected a diff"));
    CHECK_EQUAL(fault_of("{\"files\": []}"), "there is no change in the input");
}

void line_ends_of_the_transport_do_not_count()
{
    const FilePatch file = only_file("--- a/x\r\n+++ b/x\r\n@@ -1 +1 @@\r\n-a\r\n+b\r\n");
    CHECK_EQUAL(file.path, "x");
    CHECK_EQUAL(lines_of_hunk(file), "-a\n+b\n");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(reads_a_diff_of_git_amid_prose),
        TEST(reads_new_removed_and_renamed_files),
        TEST(takes_prefixes_off_where_both_names_have_them),
        TEST(keeps_a_file_without_a_newline_at_its_end),
        TEST(takes_miscounted_hunks_as_they_stand),
        TEST(removed_lines_may_look_like_a_header),
        TEST(refuses_what_is_cut_off),
        TEST(refuses_what_contradicts_itself),
        TEST(reverses_a_diff),
        TEST(reads_search_and_replace_blocks),
        TEST(a_block_with_markers_in_it_needs_longer_ones),
        TEST(a_block_needs_a_path),
        TEST(reads_whole_files),
        TEST(a_named_file_with_a_diff_below_is_a_diff),
        TEST(reads_json_in_a_fence),
        TEST(refuses_json_that_says_two_things),
        TEST(a_text_without_a_change_is_refused),
        TEST(line_ends_of_the_transport_do_not_count),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
