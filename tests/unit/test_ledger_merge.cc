#include "check.hh"

#include "domain/ledger_merge.hh"

#include "base/error.hh"

using namespace ap;

namespace {

LedgerEntry entry_of(const std::string &title, UnixMs at, const std::string &body = "b")
{
    LedgerEntry entry;
    entry.at = at;
    entry.title = title;
    entry.body = body;
    give_id(entry, ledger_document("build"));
    return entry;
}

const LedgerEntry first = entry_of("First", 1000);
const LedgerEntry second = entry_of("Second", 2000);
const LedgerEntry third = entry_of("Third", 3000);
const std::string head = "# Build history\n";

std::string document(const std::vector<LedgerEntry> &entries)
{
    std::vector<std::string> texts;
    for (const LedgerEntry &entry : entries) {
        texts.push_back(entry.text());
    }
    return render_ledger(head, texts);
}

void what_both_sides_appended_is_kept_by_date()
{
    const LedgerMerge merge = merge_ledgers(document({first}), document({first, third}),
                                            document({first, second}));
    CHECK(merge.conflicts.empty());
    CHECK_EQUAL(merge.text, document({first, second, third}));
}

void both_directions_come_to_the_same()
{
    const std::string ours = document({first, third});
    const std::string theirs = document({second});
    CHECK_EQUAL(merge_ledgers(head, ours, theirs).text,
                merge_ledgers(head, theirs, ours).text);
}

void an_entry_that_one_side_removed_is_kept()
{
    const LedgerMerge merge = merge_ledgers(document({first, second}), document({second}),
                                            document({first, second}));
    CHECK_EQUAL(merge.text, document({first, second}));
}

void the_same_id_with_two_texts_is_a_conflict()
{
    LedgerEntry edited = first;
    edited.body = "other";
    const LedgerMerge merge =
        merge_ledgers(document({first}), document({edited, second}), document({first}));
    CHECK_EQUAL(merge.conflicts.size(), size_t{1});
    CHECK_EQUAL(merge.conflicts[0], first.id);
    CHECK(merge.text.find("<<<<<<< ours\n" + edited.text() + "=======\n" + first.text() +
                          ">>>>>>> theirs\n") != std::string::npos);
    CHECK(merge.text.find(second.text()) != std::string::npos);
    // Tidy takes it apart again.
    const auto versions = conflict_versions(merge.text, "x");
    CHECK_EQUAL(versions.size(), size_t{2});
    const LedgerText ours = parse_ledger(versions[0]);
    const LedgerText theirs = parse_ledger(versions[1]);
    CHECK_EQUAL(ours.pieces[0].text, edited.text());
    CHECK_EQUAL(theirs.pieces[0].text, first.text());
}

void a_head_that_one_side_changed_is_taken_and_two_are_a_conflict()
{
    CHECK_EQUAL(merge_ledgers("# A\n", "# A\n", "# B\n").text, "# B\n");
    CHECK_EQUAL(merge_ledgers("# A\n", "# B\n", "# A\n").text, "# B\n");
    const LedgerMerge merge = merge_ledgers("# A\n", "# B\n", "# C\n");
    CHECK_EQUAL(merge.conflicts.size(), size_t{1});
    CHECK(merge.text.find("<<<<<<< ours\n# B\n=======\n# C\n>>>>>>> theirs\n") !=
          std::string::npos);
}

void free_sections_of_both_sides_are_kept()
{
    const std::string base = "# H\n\n## Old\n\nx\n";
    const LedgerMerge merge =
        merge_ledgers(base, base + "\n## Ours\n\ny\n", base + "\n## Theirs\n\nz\n");
    CHECK(merge.conflicts.empty());
    CHECK_EQUAL(merge.text, "# H\n\n## Old\n\nx\n\n## Ours\n\ny\n\n## Theirs\n\nz\n");
}

void a_file_is_split_into_the_versions_of_its_conflicts()
{
    const auto versions = conflict_versions(
        "a\n<<<<<<< x\nb\n||||||| o\nc\n=======\nd\n>>>>>>> y\ne\n=======\n", "f");
    CHECK_EQUAL(versions.size(), size_t{3});
    CHECK_EQUAL(versions[0], "a\nb\ne\n=======\n");
    CHECK_EQUAL(versions[1], "a\nd\ne\n=======\n");
    CHECK_EQUAL(versions[2], "a\nc\ne\n=======\n");
    CHECK_EQUAL(conflict_versions("a\nb", "f").size(), size_t{1});
}

void a_marker_without_its_counterpart_is_named()
{
    const auto names_line = [](const char *line) {
        return [line](const Error &error) {
            CHECK_EQUAL(error.status(), ExitStatus::BadData);
            CHECK_EQUAL(std::string(error.what()),
                        std::string("docs/x.md:") + line +
                            ": a conflict marker without its counterpart; resolve it by "
                            "hand");
        };
    };
    CHECK_THROWS(conflict_versions("a\n<<<<<<< x\nb\n", "docs/x.md"), Error,
                 names_line("2"));
    CHECK_THROWS(conflict_versions("a\nb\n>>>>>>> x\n", "docs/x.md"), Error,
                 names_line("3"));
    CHECK_THROWS(conflict_versions("<<<<<<< x\n<<<<<<< y\n", "docs/x.md"), Error,
                 names_line("2"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(what_both_sides_appended_is_kept_by_date),
        TEST(both_directions_come_to_the_same),
        TEST(an_entry_that_one_side_removed_is_kept),
        TEST(the_same_id_with_two_texts_is_a_conflict),
        TEST(a_head_that_one_side_changed_is_taken_and_two_are_a_conflict),
        TEST(free_sections_of_both_sides_are_kept),
        TEST(a_file_is_split_into_the_versions_of_its_conflicts),
        TEST(a_marker_without_its_counterpart_is_named),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
