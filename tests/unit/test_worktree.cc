#include "domain/worktree.hh"

#include "check.hh"
#include "support.hh"

using namespace ap;

namespace {

struct Fixture
{
    check::TemporaryDirectory directory;
    std::string repository = directory.file("repository");
    std::string path = directory.file("attempt");
    Fixture()
    {
        make_directories(repository);
        run_git(repository, {"init", "-q", "--template="});
        write_file_atomically(repository + "/a", "one\n");
        Worktree whole = Worktree::adopt(repository, repository);
        whole.keep();
        run_git(repository, {"-c", "user.name=a", "-c", "user.email=a@b", "commit",
                             "--allow-empty", "-qm", "root"});
        CHECK(!whole.commit_all("first").empty());
    }
};

void works_apart_from_the_repository()
{
    const Fixture fixture;
    Worktree worktree = Worktree::add(fixture.repository, fixture.path, "try-1");
    write_file_atomically(worktree.path() + "/a", "two\n");
    write_file_atomically(worktree.path() + "/b", "new\n");
    CHECK(worktree.diff_against("HEAD").find("+new") != std::string::npos);
    const std::string commit = worktree.commit_all("second\n\nRun: x\n");
    CHECK_EQUAL(commit.size(), 40U);
    CHECK_EQUAL(worktree.commit_all("nothing"), "");
    CHECK_EQUAL(read_file(fixture.repository + "/a", 9), "one\n");
    worktree.remove();
    CHECK(!path_exists(fixture.path));
    CHECK_EQUAL(run_git(fixture.repository, {"rev-parse", "try-1"}), commit + "\n");
}

void what_a_killed_git_has_noted_is_no_hindrance()
{
    const Fixture fixture;
    Worktree::add(fixture.repository, fixture.path, "").keep();
    run_git(fixture.repository,
            {"worktree", "lock", "--reason", "initializing", fixture.path});
    remove_tree(fixture.path);
    const Worktree again = Worktree::add(fixture.repository, fixture.path, "");
    CHECK(path_exists(fixture.path + "/a"));
}

void goes_away_unless_it_is_kept()
{
    const Fixture fixture;
    {
        const Worktree worktree = Worktree::add(fixture.repository, fixture.path, "");
        write_file_atomically(worktree.path() + "/a", "two\n");
    }
    CHECK(!path_exists(fixture.path));
    {
        Worktree worktree = Worktree::add(fixture.repository, fixture.path, "");
        worktree.keep();
    }
    CHECK(path_exists(fixture.path + "/a"));
    const Worktree again = Worktree::adopt(fixture.repository, fixture.path);
    CHECK_EQUAL(again.path(), fixture.path);
}

void tells_what_git_says()
{
    const check::TemporaryDirectory directory;
    CHECK_THROWS(
        run_git(directory.path(), {"rev-parse", "HEAD"}), Error, [](const Error &error) {
            CHECK_EQUAL(error.status(), ExitStatus::Failed);
            CHECK(std::string(error.what()).starts_with("git rev-parse: fatal: "));
        });
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(works_apart_from_the_repository),
        TEST(what_a_killed_git_has_noted_is_no_hindrance),
        TEST(goes_away_unless_it_is_kept),
        TEST(tells_what_git_says),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
