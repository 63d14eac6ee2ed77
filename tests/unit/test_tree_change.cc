#include "domain/tree_change.hh"

#include "check.hh"
#include "support.hh"

#include <sys/stat.h>

using namespace ap;

namespace {

struct Fixture
{
    check::TemporaryDirectory directory;
    std::string root = directory.file("tree");
    Fixture()
    {
        make_directories(root + "/d");
        write_file_atomically(root + "/d/gone", "gone", 0644);
        write_file_atomically(root + "/kept", "old", 0644);
    }
    std::vector<TreeChange> changes() const
    {
        return {{"d/gone", FileState{"gone", 0644}, std::nullopt},
                {"kept", FileState{"old", 0644}, FileState{"new", 0755}},
                {"n/m/made", std::nullopt, FileState{"made", 0644}}};
    }
    std::string read(const std::string &path) const
    {
        return read_file(root + "/" + path, 100);
    }
    bool has(const std::string &path) const { return path_exists(root + "/" + path); }
};

void check_is_old(const Fixture &fixture)
{
    CHECK_EQUAL(fixture.read("kept"), "old");
    CHECK_EQUAL(fixture.read("d/gone"), "gone");
    CHECK(!fixture.has("n"));
    CHECK(!fixture.has(apply_directory));
}

void makes_all_of_a_change()
{
    const Fixture fixture;
    const Tree tree(fixture.root);
    write_change(tree, fixture.changes(), std::nullopt);
    CHECK_EQUAL(fixture.read("kept"), "new");
    CHECK_EQUAL(tree.look("kept").mode, 0755U);
    CHECK_EQUAL(fixture.read("n/m/made"), "made");
    CHECK(!fixture.has("d")); // as git, which has no empty directories
    CHECK(!fixture.has(apply_directory));
    CHECK(!finish_change(tree));
}

void a_file_changed_meanwhile_stops_it()
{
    const Fixture fixture;
    write_file_atomically(fixture.root + "/kept", "mine");
    const Tree tree(fixture.root);
    CHECK_THROWS(
        (write_change(tree, fixture.changes(), std::nullopt), 0), Error,
        [](const Error &error) { CHECK_EQUAL(error.status(), ExitStatus::TryAgain); });
    CHECK_EQUAL(fixture.read("kept"), "mine");
    CHECK(!fixture.has("n"));
    CHECK(!fixture.has(apply_directory));
}

void a_failure_midway_undoes_what_was_done()
{
    const Fixture fixture;
    std::vector<TreeChange> changes = fixture.changes();
    // A directory is in the way of the last file: found out only when it is moved there.
    changes.push_back({"z", std::nullopt, FileState{"z", 0644}});
    const Tree tree(fixture.root);
    changes.push_back({"z/y", std::nullopt, FileState{"y", 0644}});
    CHECK_THROWS((write_change(tree, changes, std::nullopt), 0), Error,
                 [](const Error &) {});
    check_is_old(fixture);
    CHECK(!fixture.has("z"));
}

void a_half_made_change_is_undone()
{
    const Fixture fixture;
    const std::string inside = fixture.root + "/" + apply_directory;
    make_directories(inside);
    write_file_atomically(inside + "/old-0", "before", 0644);
    write_file_atomically(inside + "/new-1", "never", 0644);
    write_file_atomically(inside + "/journal.json",
                          R"({"version": 1, "directories": ["n"], "files": [
            {"path": "kept", "old": true, "new": true},
            {"path": "n/later", "old": false, "new": true}]})");
    const Tree tree(fixture.root);
    CHECK(finish_change(tree));
    CHECK_EQUAL(fixture.read("kept"), "before");
    CHECK(!fixture.has("n"));
    CHECK(!fixture.has(apply_directory));
}

void without_a_journal_nothing_had_begun()
{
    const Fixture fixture;
    make_directories(fixture.root + "/" + apply_directory);
    write_file_atomically(fixture.root + "/" + apply_directory + "/old-0", "x");
    const Tree tree(fixture.root);
    CHECK(!finish_change(tree));
    check_is_old(fixture);
}

void a_foreign_journal_reaches_nothing_protected()
{
    const Fixture fixture;
    const std::string inside = fixture.root + "/" + apply_directory;
    make_directories(inside);
    write_file_atomically(inside + "/old-0", "evil");
    write_file_atomically(
        inside + "/journal.json",
        R"({"files": [{"path": ".git/hooks/pre-commit", "old": true, "new": true}]})");
    const Tree tree(fixture.root);
    CHECK_THROWS(finish_change(tree), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
    });
    CHECK(!fixture.has(".git"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(makes_all_of_a_change),
        TEST(a_file_changed_meanwhile_stops_it),
        TEST(a_failure_midway_undoes_what_was_done),
        TEST(a_half_made_change_is_undone),
        TEST(without_a_journal_nothing_had_begun),
        TEST(a_foreign_journal_reaches_nothing_protected),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
