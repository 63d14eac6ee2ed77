#include "sys/tree.hh"

#include "check.hh"
#include "support.hh"

#include <algorithm>
#include <functional>
#include <sys/stat.h>
#include <unistd.h>

using namespace ap;

namespace {

struct Fixture
{
    check::TemporaryDirectory directory;
    std::string root = directory.file("tree");
    Fixture()
    {
        make_directories(root + "/a/b");
        make_directories(directory.file("outside"));
        write_file_atomically(directory.file("outside/f"), "outside");
        write_file_atomically(root + "/a/f", "inside");
        link("../outside", "/out");
        link("f", "/a/l");
    }
    void link(const char *target, const std::string &name) const
    {
        CHECK(symlink(target, (root + name).c_str()) == 0);
    }
};

ExitStatus status_of(const std::function<void()> &work)
{
    try {
        work();
    } catch (const Error &error) {
        return error.status();
    }
    return ExitStatus::Done;
}

void tells_what_is_there()
{
    const Fixture fixture;
    const Tree tree(fixture.root);
    CHECK(tree.look("a/f").kind == Tree::Kind::File);
    CHECK_EQUAL(tree.look("a/f").size, 6);
    CHECK(tree.look("a").kind == Tree::Kind::Directory);
    CHECK(tree.look("a/l").kind == Tree::Kind::Link);
    CHECK(tree.look("no/such").kind == Tree::Kind::Nothing);
    CHECK_EQUAL(tree.read("a/f", 100), "inside");
}

void never_leaves_the_tree()
{
    const Fixture fixture;
    const Tree tree(fixture.root);
    for (const char *path :
         {"out/f", "../outside/f", "/etc/passwd", "a/../../outside/f"}) {
        CHECK_EQUAL(status_of([&] { tree.read(path, 100); }), ExitStatus::NoPermission);
        CHECK_EQUAL(status_of([&] { tree.create(path, "x", 0644); }),
                    ExitStatus::NoPermission);
        CHECK_EQUAL(status_of([&] { tree.remove(path); }), ExitStatus::NoPermission);
        CHECK_EQUAL(status_of([&] { tree.move("a/f", path); }), ExitStatus::NoPermission);
    }
    CHECK_EQUAL(status_of([&] { tree.read("a/l", 100); }), ExitStatus::NoPermission);
    CHECK_EQUAL(status_of([&] { tree.look("a/f/x"); }), ExitStatus::BadData);
    CHECK_EQUAL(read_file(fixture.directory.file("outside/f"), 100), "outside");
}

void makes_moves_and_removes()
{
    const Fixture fixture;
    const Tree tree(fixture.root);
    const auto missing = tree.missing_directories("n/m/f");
    CHECK_EQUAL(missing.size(), 2U);
    for (const std::string &directory : missing) {
        tree.make_directory(directory, 0777);
    }
    tree.create("n/m/f", "new", 0755);
    CHECK_EQUAL(tree.look("n/m/f").mode, 0755U);
    tree.move("n/m/f", "a/l"); // a link is replaced, not followed
    CHECK_EQUAL(tree.read("a/l", 100), "new");
    CHECK_EQUAL(tree.read("a/f", 100), "inside");
    tree.remove("a/l");
    tree.remove("a/l");
    CHECK(tree.look("a/l").kind == Tree::Kind::Nothing);
    CHECK(!tree.remove_directory("a"));
    CHECK(tree.remove_directory("n/m"));
    auto names = tree.names_in("a");
    std::sort(names.begin(), names.end());
    CHECK(names == std::vector<std::string>({"b", "f"}));
    tree.sync_directory("");
    tree.sync_directory("none");
}

void a_fifo_does_not_block()
{
    const Fixture fixture;
    CHECK(mkfifo((fixture.root + "/p").c_str(), 0600) == 0);
    const Tree tree(fixture.root);
    CHECK_EQUAL(status_of([&] { tree.read("p", 100); }), ExitStatus::BadData);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(tells_what_is_there),
        TEST(never_leaves_the_tree),
        TEST(makes_moves_and_removes),
        TEST(a_fifo_does_not_block),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
