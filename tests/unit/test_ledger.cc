#include "check.hh"
#include "installation.hh"

#include "domain/ledger.hh"
#include "domain/ledger_run.hh"
#include "sys/file_lock.hh"
#include "wrap/sha256.hh"

#include <algorithm>
#include <random>
#include <set>
#include <unistd.h>

using namespace ap;

namespace {

using namespace std::chrono_literals;

constexpr const char *history = "docs/BUILD_HISTORY.md";

// A state with a ledger.
class Ledger
{
public:
    Ledger()
        : state_(files_.paths(), State::Access::Write, "test")
    {
    }

    State &state() { return state_; }
    Sqlite &database() { return state_.database(); }
    const check::Installation &files() const { return files_; }

    std::string add(const std::string &title, const std::string &body = "b",
                    std::string_view document = "build")
    {
        LedgerEntry entry;
        entry.at = at_ += 1000;
        entry.title = title;
        entry.body = quoted_body(body);
        std::string id = record_entry(database(), ledger_document(document), entry);
        settle_ledger(state_);
        return id;
    }

    std::string text() const { return files_.read(history); }
    void edit(const std::string &from, const std::string &to) const
    {
        std::string all = text();
        const size_t at = all.find(from);
        CHECK(at != std::string::npos);
        files_.write(history, all.replace(at, from.size(), to));
    }
    std::string content(const std::string &id)
    {
        return database().query_text("SELECT content FROM ledger_entries WHERE entry_id "
                                     "= '" +
                                     id + "'");
    }
    std::string broken()
    {
        const auto found = verify_ledger(state_, ledger_document("build"));
        return found ? std::to_string(found->line) + " " + found->entry + " " +
                           found->reason
                     : std::string();
    }
    LedgerTidied tidy(bool accept = false) { return tidy_ledger(state_, accept)[1]; }

private:
    check::Installation files_{"a"};
    State state_;
    UnixMs at_ = 1'795'517'772'000;
};

void an_entry_is_appended_and_verified()
{
    Ledger ledger;
    const std::string id = ledger.add("One");
    ledger.add("Two");
    CHECK_EQUAL(ledger.text().substr(0, 11), "# History\n\n");
    CHECK(ledger.text().find(ledger.content(id)) != std::string::npos);
    CHECK_EQUAL(ledger.broken(), "");
}

void each_kind_of_break_is_named_with_its_line()
{
    Ledger ledger;
    const std::string one = ledger.add("One", "first");
    const std::string two = ledger.add("Two", "second");
    const std::string three = ledger.add("Three", "third");
    const std::string whole = ledger.text();
    const auto after = [&](const std::string &from, const std::string &to) {
        ledger.files().write(history, whole);
        ledger.edit(from, to);
        return ledger.broken();
    };
    CHECK_EQUAL(after("second", "other"), "9 " + two + " was edited");
    CHECK_EQUAL(after(ledger.content(one) + "\n", ""),
                "3 " + two + " follows entry " + one + ", which was removed");
    CHECK_EQUAL(after(ledger.content(three), ""), "15 " + three + " was removed");
    CHECK_EQUAL(after(ledger.content(one) + "\n" + ledger.content(two),
                      ledger.content(two) + "\n" + ledger.content(one)),
                "3 " + two + " is out of order: entry " + one + " belongs before it");
    CHECK_EQUAL(after(ledger.content(two), ledger.content(two) + ledger.content(two)),
                "14 " + two + " is there twice");
    CHECK_EQUAL(after("<!-- end " + three, "<!-- end"), "15 " + three + " was cut short");
    CHECK_EQUAL(after(ledger.content(two), "by hand\n"),
                "9  text that is no entry; 'ap-ledger tidy' records it");
    LedgerEntry forged;
    forged.title = "Forged";
    give_id(forged, ledger_document("build"));
    CHECK_EQUAL(after(ledger.content(two), forged.text()),
                "9 " + forged.id + " was inserted: no tool has recorded it");
    ledger.files().write(history, whole);
    ledger.database().execute("UPDATE ledger_entries SET hash = '" +
                              std::string(64, '0') + "' WHERE entry_id = '" + two + "'");
    CHECK_EQUAL(ledger.broken(), "9 " + two + " does not follow in the database's chain");
}

void an_entry_and_its_record_edited_alike_are_found_out_by_the_chain()
{
    Ledger ledger;
    const std::string one = ledger.add("One", "first");
    ledger.add("Two");
    ledger.edit("first", "other");
    ledger.database().execute(
        "UPDATE ledger_entries SET content = replace(content, 'first', 'other')");
    CHECK_EQUAL(ledger.broken(), "3 " + one + " does not follow in the database's chain");
}

void a_killed_adder_is_finished_by_the_next()
{
    Ledger ledger;
    ledger.add("One");
    LedgerEntry entry;
    entry.at = 1'795'517'780'000;
    entry.title = "Between";
    record_entry(ledger.database(), ledger_document("build"), entry);
    CHECK(ledger.text().find("Between") == std::string::npos);
    ledger.add("Two");
    CHECK(ledger.text().find("Between") < ledger.text().find("Two"));
    CHECK_EQUAL(ledger.broken(), "");
    // Killed before it could say that it had written.
    const std::string before = ledger.text();
    ledger.database().execute("UPDATE ledger_entries SET is_in_file = 0");
    settle_ledger(ledger.state());
    CHECK_EQUAL(ledger.text(), before);
}

void the_same_words_at_the_same_moment_are_two_entries()
{
    Ledger ledger;
    LedgerEntry entry;
    entry.title = "Same";
    const std::string one =
        record_entry(ledger.database(), ledger_document("build"), entry);
    const std::string two =
        record_entry(ledger.database(), ledger_document("build"), entry);
    CHECK(one != two);
}

void a_lock_that_is_held_is_a_temporary_failure()
{
    Ledger ledger;
    LedgerEntry entry;
    entry.title = "Later";
    record_entry(ledger.database(), ledger_document("build"), entry);
    {
        const FileLock lock(ledger.files().paths().directory + "/docs", "it");
        CHECK_THROWS(settle_ledger(ledger.state(), 10ms), Error, [](const Error &error) {
            CHECK_EQUAL(error.status(), ExitStatus::TryAgain);
        });
    }
    settle_ledger(ledger.state());
    CHECK(ledger.text().find("Later") != std::string::npos);
}

void tidy_adopts_what_people_wrote_and_changes_nothing_the_second_time()
{
    Ledger ledger;
    ledger.files().write(history, "# Mine\n\nIntro.\n\n## 2025-03-01 One\n\na\n\n"
                                  "## Two\n\nb\n");
    const LedgerTidied first = ledger.tidy();
    CHECK_EQUAL(first.adopted, 2);
    CHECK_EQUAL(first.entries, 2);
    const std::string text = ledger.text();
    CHECK_EQUAL(text.substr(0, 15), "# Mine\n\nIntro.\n");
    CHECK(text.find("2025-03-01T00:00:00.000Z 2025-03-01 One\n\na\n") !=
          std::string::npos);
    CHECK(text.find("2025-03-01T00:00:00.001Z Two\n\nb\n") != std::string::npos);
    CHECK_EQUAL(ledger.broken(), "");
    CHECK(!ledger.tidy().is_changed);
    CHECK_EQUAL(ledger.text(), text);
}

void tidy_takes_both_sides_of_a_conflict()
{
    Ledger ledger;
    const std::string one = ledger.add("One", "ours");
    LedgerEntry theirs;
    theirs.at = 1000;
    theirs.title = "Theirs";
    theirs.body = "theirs";
    give_id(theirs, ledger_document("build"));
    ledger.edit(ledger.content(one), "<<<<<<< HEAD\n" + ledger.content(one) +
                                         "=======\n" + theirs.text() + ">>>>>>> b\n");
    const LedgerTidied result = ledger.tidy();
    CHECK_EQUAL(result.adopted, 1);
    CHECK(ledger.text().find(theirs.text()) < ledger.text().find(ledger.content(one)));
    CHECK(ledger.text().find("<<<<") == std::string::npos);
    CHECK_EQUAL(ledger.broken(), "");
}

void tidy_brings_back_what_was_removed_and_keeps_what_was_edited_beside_it()
{
    Ledger ledger;
    const std::string one = ledger.add("One", "first");
    const std::string two = ledger.add("Two", "second");
    ledger.edit(ledger.content(one), "");
    ledger.edit("second", "changed");
    const LedgerTidied result = ledger.tidy();
    CHECK_EQUAL(result.returned, 1);
    CHECK_EQUAL(result.differing, 1);
    CHECK_EQUAL(result.entries, 3);
    CHECK(ledger.text().find("first") != std::string::npos);
    CHECK(ledger.text().find("second") != std::string::npos);
    CHECK(ledger.text().find("Two (differs from " + two + ")") != std::string::npos);
    CHECK_EQUAL(ledger.broken(), "");
}

void tidy_accepts_edits_when_it_is_told_to()
{
    Ledger ledger;
    const std::string one = ledger.add("One", "a secret");
    const std::string two = ledger.add("Two");
    ledger.edit("a secret", "[removed]");
    ledger.edit(ledger.content(two), "");
    ledger.tidy(true);
    CHECK(ledger.text().find("secret") == std::string::npos);
    CHECK(ledger.content(one).find("[removed]") != std::string::npos);
    CHECK_EQUAL(ledger.content(two), "");
    CHECK_EQUAL(ledger.broken(), "");
}

void tidy_puts_an_entry_into_its_document()
{
    Ledger ledger;
    const std::string id = ledger.add("Decision", "because", "decision");
    const std::string decisions = "docs/ARCHITECTURE_DECISIONS.md";
    ledger.files().write(history, "# History\n\n" + ledger.content(id));
    ledger.files().write(decisions, "# Decisions\n");
    const std::vector<LedgerTidied> all = tidy_ledger(ledger.state(), false);
    CHECK_EQUAL(all[0].moved, 1);
    CHECK(ledger.text().find("because") == std::string::npos);
    CHECK(ledger.files().read(decisions).find("because") != std::string::npos);
    CHECK_EQUAL(ledger.database().query_integer(
                    "SELECT count(*) FROM events WHERE kind = 'ledger.tidied'"),
                2);
}

void a_tidy_that_was_cut_short_is_finished_by_the_next()
{
    Ledger ledger;
    ledger.add("One");
    ledger.files().write(history, ledger.text() + "\nby hand\n");
    const std::string before = ledger.text();
    ledger.tidy();
    const std::string after = ledger.text();
    // As if it had been killed between its commit and the file.
    ledger.files().write(history, before);
    ledger.database().execute(
        "INSERT INTO ledger_rewrites VALUES ('build', '# History', '" +
        to_hex(sha256(before)) + "')");
    settle_ledger(ledger.state());
    CHECK_EQUAL(ledger.text(), after);
    // A file that somebody changed since is left to them.
    ledger.files().write(history, before + "more\n");
    ledger.database().execute(
        "INSERT INTO ledger_rewrites VALUES ('build', '# History', '" +
        to_hex(sha256(before)) + "')");
    settle_ledger(ledger.state());
    CHECK_EQUAL(ledger.text(), before + "more\n");
}

// Whatever is done to a document, every word that is in it before tidy is in it after,
// every recorded entry is there, and it verifies.
void tidy_never_loses_an_entry()
{
    std::minstd_rand random(12345);
    for (int round = 0; round < 60; round++) {
        Ledger ledger;
        std::vector<std::string> words;
        for (int number = 0; number < 6; number++) {
            words.push_back("word" + std::to_string(number) + "x");
            ledger.add("T" + std::to_string(number), words.back());
        }
        std::string text = ledger.text();
        for (int change = 0; change < 4; change++) {
            // Lines are taken out, doubled and moved, as bad merges do.
            std::vector<std::string> lines;
            size_t at = 0;
            while (at < text.size()) {
                const size_t end = text.find('\n', at) + 1;
                lines.push_back(text.substr(at, end - at));
                at = end;
            }
            const size_t from = random() % lines.size();
            const size_t length =
                1 + random() % std::min<size_t>(12, lines.size() - from);
            const auto begin = lines.begin() + static_cast<long>(from);
            const std::vector<std::string> block(begin,
                                                 begin + static_cast<long>(length));
            if (random() % 3 != 0) {
                lines.erase(begin, begin + static_cast<long>(length));
            }
            if (random() % 3 != 0) {
                lines.insert(lines.begin() +
                                 static_cast<long>(random() % (lines.size() + 1)),
                             block.begin(), block.end());
            }
            const std::string added = "hand" + std::to_string(change) + "x\n";
            lines.insert(lines.begin() + static_cast<long>(random() % (lines.size() + 1)),
                         added);
            text.clear();
            for (const std::string &line : lines) {
                text += line;
            }
        }
        for (int change = 0; change < 4; change++) {
            const std::string word = "hand" + std::to_string(change) + "x";
            if (text.find(word) != std::string::npos) {
                words.push_back(word);
            }
        }
        ledger.files().write(history, text);
        ledger.tidy();
        for (const std::string &word : words) {
            CHECK(ledger.text().find(word) != std::string::npos);
        }
        CHECK_EQUAL(ledger.broken(), "");
        CHECK(!ledger.tidy().is_changed);
    }
}

void a_run_that_ended_is_recorded_once()
{
    Ledger ledger;
    ledger.files().add_run("night");
    record_run_end(ledger.database(), "night", SystemClock());
    CHECK_EQUAL(list_ledger(ledger.database(), {}).size(), size_t{0}); // it has no end
    ledger.database().execute("UPDATE runs SET ended_at = 6, status = 'DONE_FAILED', "
                              "reason = 'the reason'");
    record_run_end(ledger.database(), "night", SystemClock());
    record_run_end(ledger.database(), "night", SystemClock());
    const auto records = list_ledger(ledger.database(), {{}, "night", 50});
    CHECK_EQUAL(records.size(), size_t{2});
    CHECK_EQUAL(records[0].title, "Run night: DONE_FAILED");
    CHECK(std::any_of(records.begin(), records.end(), [](const LedgerRecord &record) {
        return record.document == "debug" &&
               record.content.find("- the reason\n") != std::string::npos;
    }));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(an_entry_is_appended_and_verified),
        TEST(each_kind_of_break_is_named_with_its_line),
        TEST(an_entry_and_its_record_edited_alike_are_found_out_by_the_chain),
        TEST(a_killed_adder_is_finished_by_the_next),
        TEST(the_same_words_at_the_same_moment_are_two_entries),
        TEST(a_lock_that_is_held_is_a_temporary_failure),
        TEST(tidy_adopts_what_people_wrote_and_changes_nothing_the_second_time),
        TEST(tidy_takes_both_sides_of_a_conflict),
        TEST(tidy_brings_back_what_was_removed_and_keeps_what_was_edited_beside_it),
        TEST(tidy_accepts_edits_when_it_is_told_to),
        TEST(tidy_puts_an_entry_into_its_document),
        TEST(a_tidy_that_was_cut_short_is_finished_by_the_next),
        TEST(tidy_never_loses_an_entry),
        TEST(a_run_that_ended_is_recorded_once),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
