// Whatever a model writes, reading it as a change ends in a change or in Error(BadData);
// and what its hunks make of a text holds no more lines than both have.

#include "fuzz.hh"

#include "base/error.hh"
#include "domain/apply_rules.hh"
#include "domain/patch_match.hh"

#include <algorithm>

using namespace ap;
using namespace std::string_view_literals;

namespace {

constexpr std::string_view texts[] = {
    "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@ f\n a\n-b\n+B\n c\n@@ -5 +5 @@\n-e\n+E\n"sv,
    "```diff\n--- a/x\n+++ b/x\n@@ -1,9 +1,2 @@\n a\n\n-b\n\\ No newline at end of file\n+c\n```\n- more\n"sv,
    "diff --git \"a/\\303\\244\" \"b/\\303\\244\"\nnew file mode 100755\n--- /dev/null\n+++ \"b/\\303\\244\"\n@@ -0,0 +1 @@\n+x\n"sv,
    "diff --git a/o n b/m n\nsimilarity index 9%\nrename from o n\nrename to m n\nold mode 100644\nnew mode 100755\n"sv,
    "x.c\n```c\n<<<<<<< SEARCH\na\nb\n=======\na\nc\n>>>>>>> REPLACE\n```\nFILE: y\n````\n```\n````\nDELETE: z\n"sv,
    "{\"files\": [{\"path\": \"a\", \"content\": \"x\"}, {\"path\": \"b\", \"edits\": [{\"search\": \"b\\n\", \"replace\": \"\"}], \"mode\": \"755\"}]}"sv,
};

constexpr std::string_view file = "a\nb\nc\n  d\ne\na\nb\r\nf"sv;

int64_t count_lines(std::string_view text)
{
    return std::count(text.begin(), text.end(), '\n') + 1;
}

} // namespace

std::span<const std::string_view> fuzz::seeds()
{
    return texts;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const std::string_view text = fuzz::text_of(data, size);
    for (const bool reverse : {false, true}) {
        try {
            const Patch patch = parse_patch(text, {PatchFormat::Auto, {}, reverse});
            for (const FilePatch &change : patch.files) {
                static_cast<void>(path_refusal(change.path, {}));
                const PatchedText made = patch_text(file, change.hunks, 2);
                fuzz::require(count_lines(made.text) <=
                                  count_lines(file) + 2 * count_lines(text),
                              "no more lines than there are");
                fuzz::require(made.places.size() + made.rejections.size() ==
                                  change.hunks.size(),
                              "each hunk is placed or rejected");
            }
        } catch (const Error &error) {
            fuzz::require(error.status() == ExitStatus::BadData, "bad data is all it is");
        }
    }
    return 0;
}
