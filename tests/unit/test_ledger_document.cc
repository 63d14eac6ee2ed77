#include "check.hh"

#include "domain/ledger_document.hh"

#include "base/error.hh"

using namespace ap;

namespace {

LedgerEntry entry_of(const std::string &title, const std::string &body)
{
    LedgerEntry entry;
    entry.at = 1'795'517'772'007;
    entry.title = title;
    entry.run = "night";
    entry.phase = "fix";
    entry.body = quoted_body(body);
    give_id(entry, ledger_document("build"));
    return entry;
}

void an_entry_is_read_as_it_was_written()
{
    const LedgerEntry entry = entry_of("A title", "Body.\n\n## Heading of its own\n");
    const LedgerText text = parse_ledger("# Head\n\n" + entry.text() + "\n");
    CHECK_EQUAL(text.head, "# Head\n\n");
    CHECK_EQUAL(text.pieces.size(), size_t{1});
    const LedgerPiece &piece = text.pieces[0];
    CHECK(piece.is_whole);
    CHECK_EQUAL(piece.line, 3);
    CHECK_EQUAL(piece.text, entry.text());
    CHECK_EQUAL(piece.entry->text(), entry.text());
    CHECK_EQUAL(piece.entry->id, entry.id);
    CHECK_EQUAL(piece.entry->at, entry.at);
    CHECK_EQUAL(piece.entry->title, "A title");
    CHECK_EQUAL(piece.entry->run, "night");
    CHECK_EQUAL(piece.entry->phase, "fix");
    CHECK_EQUAL(piece.entry->body, "Body.\n\n## Heading of its own");
}

void an_id_follows_from_what_the_entry_says()
{
    CHECK_EQUAL(entry_of("A", "b").id, entry_of("A", "b").id);
    CHECK(entry_of("A", "b").id != entry_of("A", "c").id);
    CHECK(entry_of("A", "b").id != entry_of("B", "b").id);
    CHECK_EQUAL(entry_of("A", "b").id.substr(0, 2), "B-");
}

void a_body_cannot_pose_as_an_entry_or_a_conflict()
{
    const LedgerEntry inner = entry_of("Inner", "x");
    const std::string marks = "<<<<<<< a\n=======\n>>>>>>> b";
    const LedgerEntry outer = entry_of("Outer", inner.text() + marks);
    const LedgerText text = parse_ledger(outer.text());
    CHECK_EQUAL(text.pieces.size(), size_t{1});
    CHECK_EQUAL(text.pieces[0].text, outer.text());
    CHECK(outer.text().find("\n\\<<<<<<< a\n\\=======\n\\>>>>>>> b\n") !=
          std::string::npos);
}

void free_text_is_split_at_headings_but_not_in_code()
{
    const LedgerText text = parse_ledger("# Head\n## One\na\n```\n## code\n```\n"
                                         "## Two\nb");
    CHECK_EQUAL(text.head, "# Head\n");
    CHECK_EQUAL(text.pieces.size(), size_t{2});
    CHECK_EQUAL(text.pieces[0].text, "## One\na\n```\n## code\n```\n");
    CHECK_EQUAL(text.pieces[0].line, 2);
    CHECK_EQUAL(text.pieces[1].text, "## Two\nb\n");
    CHECK_EQUAL(text.pieces[1].line, 7);
}

void text_after_an_entry_does_not_become_part_of_it()
{
    const LedgerEntry entry = entry_of("A", "b");
    const LedgerText text = parse_ledger(entry.text() + "\nnote by hand\n");
    CHECK_EQUAL(text.pieces.size(), size_t{2});
    CHECK(!text.pieces[1].entry);
    CHECK_EQUAL(text.pieces[1].text, "note by hand\n");
    CHECK_EQUAL(text.pieces[1].after, entry.at);
}

void an_entry_without_its_end_reaches_to_the_next()
{
    const LedgerEntry first = entry_of("A", "b");
    const LedgerEntry second = entry_of("B", "c");
    const std::string torn = first.text().substr(0, first.text().find("<!--"));
    const LedgerText text = parse_ledger(torn + second.text());
    CHECK_EQUAL(text.pieces.size(), size_t{2});
    CHECK(!text.pieces[0].is_whole);
    CHECK_EQUAL(text.pieces[0].entry->body, "b");
    CHECK(text.pieces[1].is_whole);
}

void a_rendered_document_is_read_back()
{
    const LedgerEntry first = entry_of("A | b", "");
    const LedgerEntry second = entry_of("B", "c");
    const std::string text = render_ledger("# Head\n\n\n", {first.text(), second.text()});
    CHECK(text.find("| 2026-11-24 | " + first.id + " | A \\| b |\n") !=
          std::string::npos);
    const LedgerText parsed = parse_ledger(text);
    CHECK(parsed.has_index);
    CHECK_EQUAL(parsed.pieces.size(), size_t{2});
    CHECK_EQUAL(
        render_ledger(parsed.head, {parsed.pieces[0].text, parsed.pieces[1].text}), text);
}

void other_headings_are_no_entries()
{
    for (const char *line : {"## B-3f9a2c71d0aa 2026-11-25T00:42:10.123Z", // no title
                             "## X-3f9a2c71d0aa 2026-11-25T00:42:10.123Z T",
                             "## B-3f9a2c71d0ag 2026-11-25T00:42:10.123Z T",
                             "## B-3f9a2c71d0aa 2026-11-25 T", "# B-3f9a2c71d0aa"}) {
        for (const LedgerPiece &piece : parse_ledger(line).pieces) {
            CHECK(!piece.entry);
        }
    }
}

void an_unknown_document_is_a_usage_error()
{
    CHECK_THROWS(ledger_document("diary"), UsageError, [](const UsageError &error) {
        CHECK_EQUAL(std::string(error.what()),
                    "expected build, debug or decision, got 'diary'");
    });
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(an_entry_is_read_as_it_was_written),
        TEST(an_id_follows_from_what_the_entry_says),
        TEST(a_body_cannot_pose_as_an_entry_or_a_conflict),
        TEST(free_text_is_split_at_headings_but_not_in_code),
        TEST(text_after_an_entry_does_not_become_part_of_it),
        TEST(an_entry_without_its_end_reaches_to_the_next),
        TEST(a_rendered_document_is_read_back),
        TEST(other_headings_are_no_entries),
        TEST(an_unknown_document_is_a_usage_error),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
