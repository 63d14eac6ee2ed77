#include "domain/save_point.hh"

#include "check.hh"
#include "support.hh"

using namespace ap;

namespace {

struct Fixture
{
    check::TemporaryDirectory directory;
    std::string root = directory.file("tree");
    std::string saved = directory.file("saved");
    Fixture()
    {
        make_directories(root);
        write_file_atomically(root + "/kept", "old", 0640);
        const Tree tree(root);
        write_change(
            tree,
            {{"kept", FileState{"old", tree.look("kept").mode}, FileState{"new", 0755}},
             {"n/made", std::nullopt, FileState{"made", 0644}}},
            saved);
    }
};

void brings_back_to_the_byte()
{
    const Fixture fixture;
    const Tree tree(fixture.root);
    CHECK_EQUAL(tree.read("kept", 9), "new");
    CHECK_EQUAL(roll_back(tree, fixture.saved, false).size(), 2U);
    CHECK_EQUAL(tree.read("kept", 9), "old");
    CHECK_EQUAL(tree.look("kept").mode & 0111, 0U);
    CHECK(tree.look("n").kind == Tree::Kind::Nothing);
    // Once more there is nothing left to do.
    CHECK(roll_back(tree, fixture.saved, false).empty());
}

void does_not_overwrite_later_work_unless_forced()
{
    const Fixture fixture;
    const Tree tree(fixture.root);
    write_file_atomically(fixture.root + "/kept", "later");
    CHECK_THROWS(roll_back(tree, fixture.saved, false), Error, [](const Error &error) {
        CHECK_EQUAL(std::string(error.what()), "'kept' is not as the change left it");
    });
    CHECK_EQUAL(tree.read("n/made", 9), "made");
    roll_back(tree, fixture.saved, true);
    CHECK_EQUAL(tree.read("kept", 9), "old");
}

void a_save_point_is_not_overwritten()
{
    const Fixture fixture;
    CHECK_THROWS((write_save_point(fixture.saved, {}), 0), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::CannotCreate);
    });
}

void a_damaged_one_is_told()
{
    const Fixture fixture;
    const Tree tree(fixture.root);
    write_file_atomically(fixture.saved + "/old-0", "odd");
    CHECK_THROWS(roll_back(tree, fixture.saved, false), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
    });
    write_file_atomically(fixture.saved + "/manifest.json",
                          R"({"files": [{"path": "../x", "old": null, "new": null}]})");
    CHECK_THROWS(roll_back(tree, fixture.saved, false), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
    });
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(brings_back_to_the_byte),
        TEST(does_not_overwrite_later_work_unless_forced),
        TEST(a_save_point_is_not_overwritten),
        TEST(a_damaged_one_is_told),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
