#include "domain/retention.hh"

#include "check.hh"
#include "installation.hh"

#include "base/error.hh"
#include "domain/backup.hh"

#include <cstdlib>
#include <ctime>

using namespace ap;

namespace {

// Noon of a day in 2026.
UnixMs day(int month, int number, int hour = 12)
{
    struct tm local = {};
    local.tm_year = 126;
    local.tm_mon = month - 1;
    local.tm_mday = number;
    local.tm_hour = hour;
    local.tm_isdst = -1;
    return int64_t{mktime(&local)} * 1000;
}

RetainedFile file(const std::string &name, UnixMs at, const std::string &base = "")
{
    return {name, "id-" + name, base.empty() ? "" : "id-" + base, at, 1};
}

std::string kept(const std::vector<RetainedFile> &files, const RetentionRules &rules)
{
    std::string names;
    for (const RetentionVerdict &verdict : judge_backups(files, rules)) {
        if (verdict.keep) {
            names += verdict.file.name + " ";
        }
        CHECK(!verdict.reason.empty());
    }
    return names;
}

void keeps_the_newest_of_each_of_the_last_days()
{
    CHECK_EQUAL(kept({file("a", day(6, 1)), file("b", day(6, 2, 8)),
                      file("c", day(6, 2, 20)), file("d", day(6, 3))},
                     {2, 0, 0}),
                "d c ");
}

void counts_no_day_without_a_backup()
{
    CHECK_EQUAL(kept({file("a", day(1, 1)), file("b", day(3, 1)), file("c", day(6, 1))},
                     {2, 0, 0}),
                "c b ");
}

void keeps_the_newest_of_weeks_and_months()
{
    std::vector<RetainedFile> files;
    for (int month = 1; month <= 6; month++) {
        for (int number = 1; number <= 28; number++) {
            files.push_back(
                file(std::to_string(month * 100 + number), day(month, number)));
        }
    }
    // 28 June 2026 is a Sunday.
    CHECK_EQUAL(kept(files, {3, 0, 0}), "628 627 626 ");
    CHECK_EQUAL(kept(files, {0, 3, 0}), "628 621 614 ");
    CHECK_EQUAL(kept(files, {0, 0, 4}), "628 528 428 328 ");
    CHECK_EQUAL(kept(files, {}),
                "628 627 626 625 624 623 622 621 614 607 528 428 328 228 128 ");
}

void keeps_what_another_needs()
{
    CHECK_EQUAL(kept({file("full", day(6, 1)), file("one", day(6, 2), "full"),
                      file("two", day(6, 3), "one"), file("other", day(5, 30))},
                     {1, 0, 0}),
                "two one full ");
}

void keeps_a_base_that_is_dated_later()
{
    // The clock was set back twice, after the full backup and after the first increment.
    CHECK_EQUAL(kept({file("full", day(6, 30)), file("one", day(6, 20), "full"),
                      file("two", day(6, 10), "one"), file("other", day(6, 11))},
                     {0, 0, 0}),
                "");
    CHECK_EQUAL(kept({file("full", day(6, 30)), file("one", day(6, 20), "full"),
                      file("pre-upgrade-two", day(6, 10), "one")},
                     {0, 0, 0}),
                "full one pre-upgrade-two ");
}

void keeps_those_made_before_an_upgrade()
{
    CHECK_EQUAL(kept({file("pre-upgrade-1.tar.gz", day(1, 1)), file("a", day(6, 1)),
                      file("b", day(6, 2))},
                     {1, 0, 0}),
                "b pre-upgrade-1.tar.gz ");
}

std::string back_up(const check::Installation &state, const std::string &name,
                    const std::optional<std::string> &base = std::nullopt)
{
    make_directories(state.beside("backups"));
    BackupOptions options;
    options.output = state.beside("backups/" + name);
    options.base = base;
    create_backup(state.paths(), options);
    return options.output;
}

PruneOptions one_day(const check::Installation &state)
{
    PruneOptions options;
    options.directory = state.beside("backups");
    options.rules = {1, 0, 0};
    return options;
}

void damage(const std::string &path)
{
    std::string bytes = read_file(path, 1 << 20);
    bytes[bytes.size() - 200] = static_cast<char>(bytes[bytes.size() - 200] ^ 8);
    write_file_atomically(path, bytes);
}

void removes_what_no_rule_keeps()
{
    const check::Installation state("a");
    const std::string first = back_up(state, "first.tar.zst");
    const std::string second = back_up(state, "second.tar.zst");
    PruneOptions options = one_day(state);
    options.dry_run = true;
    CHECK_EQUAL(prune_backups(options).removed, 1);
    CHECK(path_exists(first));
    options.dry_run = false;
    const PruneResult result = prune_backups(options);
    CHECK_EQUAL(result.removed, 1);
    CHECK_EQUAL(result.verified, "second.tar.zst");
    CHECK(!path_exists(first));
    CHECK(path_exists(second));
}

void keeps_the_newest_good_one()
{
    const check::Installation state("a");
    const std::string first = back_up(state, "first.tar.zst");
    const std::string second = back_up(state, "second.tar.zst");
    back_up(state, "third.tar.zst");
    damage(state.beside("backups/third.tar.zst"));
    const PruneResult result = prune_backups(one_day(state));
    CHECK_EQUAL(result.verified, "second.tar.zst");
    CHECK(!path_exists(first));
    CHECK(path_exists(second));
}

void removes_nothing_without_a_good_one()
{
    const check::Installation state("a");
    damage(back_up(state, "first.tar.zst"));
    damage(back_up(state, "second.tar.zst"));
    CHECK_THROWS(prune_backups(one_day(state)), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::Failed);
    });
    CHECK(path_exists(state.beside("backups/first.tar.zst")));
}

void takes_one_whose_base_is_missing_for_bad()
{
    const check::Installation state("a");
    const std::string other = back_up(state, "other.tar.zst");
    const std::string full = back_up(state, "full.tar.zst");
    back_up(state, "next.tar.zst", full);
    remove_file(full);
    CHECK_EQUAL(prune_backups(one_day(state)).verified, "other.tar.zst");
    CHECK(path_exists(other));
}

void leaves_other_files_alone()
{
    const check::Installation state("a");
    back_up(state, "first.tar.zst");
    back_up(state, "second.tar.zst");
    write_file_atomically(state.beside("backups/notes.txt"), "x");
    write_file_atomically(state.beside("backups/other.tar.gz"), "x");
    write_file_atomically(state.beside("backups/.autopack-backup-1.tar.zst.partial"),
                          "x");
    const PruneResult result = prune_backups(one_day(state));
    CHECK_EQUAL(result.ignored.size(), 1U);
    CHECK_EQUAL(result.ignored[0].path, "other.tar.gz");
    CHECK(path_exists(state.beside("backups/notes.txt")));
    CHECK(!path_exists(state.beside("backups/.autopack-backup-1.tar.zst.partial")));
}

} // namespace

int main()
{
    setenv("TZ", "UTC", 1);
    const CMUnitTest tests[] = {
        TEST(keeps_the_newest_of_each_of_the_last_days),
        TEST(counts_no_day_without_a_backup),
        TEST(keeps_the_newest_of_weeks_and_months),
        TEST(keeps_what_another_needs),
        TEST(keeps_a_base_that_is_dated_later),
        TEST(keeps_those_made_before_an_upgrade),
        TEST(removes_what_no_rule_keeps),
        TEST(keeps_the_newest_good_one),
        TEST(removes_nothing_without_a_good_one),
        TEST(takes_one_whose_base_is_missing_for_bad),
        TEST(leaves_other_files_alone),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
