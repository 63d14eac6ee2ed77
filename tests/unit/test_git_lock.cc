#include "domain/git_lock.hh"

#include "check.hh"
#include "repository.hh"

#include "eventually.hh"
#include "sys/process.hh"

#include <csignal>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace ap;
using namespace std::chrono_literals;

namespace {

constexpr const char *reference = "refs/heads/autopack/r";

struct Fixture
{
    check::Repository repository;
    BuildBranch branch{repository.path, "r"};
    std::string lock =
        join_path(repository.path, std::string(".git/") + reference + ".lock");
    Fixture()
    {
        branch.tip();
        replace_file(lock, "");
    }
    bool clear(std::chrono::milliseconds patience = 50ms) const
    {
        return clear_stale_lock(repository.path, reference, patience);
    }
};

// A process that /proc shows as git, with its working directory in a repository.
class FakeGit
{
public:
    explicit FakeGit(const std::string &directory)
        : pid_(fork())
    {
        if (pid_ == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            prctl(PR_SET_NAME, "git");
            while (chdir(directory.c_str()) == 0) {
                pause();
            }
            _exit(1);
        }
        CHECK(check::eventually(
            [&] { return processes_in("git", directory).size() == 1; }));
    }
    ~FakeGit() { end(); }
    FakeGit(const FakeGit &) = delete;
    FakeGit &operator=(const FakeGit &) = delete;

    void end()
    {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
            pid_ = -1;
        }
    }
    pid_t pid() const { return pid_; }

private:
    pid_t pid_;
};

void a_lock_that_nobody_owns_is_removed_and_the_branch_can_move()
{
    Fixture fixture;
    const std::string parent = fixture.branch.tip();
    const std::string made = fixture.branch.make_commit(
        fixture.repository.id("main^{tree}"), {parent}, "Next\n");
    CHECK_THROWS(fixture.branch.advance(parent, made), Error, [&](const Error &error) {
        CHECK(std::string(error.what()).find(fixture.lock) != std::string::npos);
    });
    CHECK(fixture.clear());
    CHECK(fixture.branch.advance(parent, made));
    CHECK(!fixture.clear());
}

void the_lock_of_a_git_that_lives_is_left_and_named()
{
    const Fixture fixture;
    FakeGit git(fixture.repository.path);
    CHECK_THROWS(fixture.clear(), Error, [&](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::TryAgain);
        CHECK_EQUAL(std::string(error.what()),
                    "'" + fixture.lock + "' is a lock of git, and process " +
                        std::to_string(git.pid()) +
                        " may be its owner: expected none, remove it when no git is at "
                        "work there");
    });
    CHECK(path_exists(fixture.lock));
    git.end();
    CHECK(fixture.clear());
}

void a_git_in_another_repository_is_no_owner()
{
    const Fixture fixture;
    const check::Repository other;
    const FakeGit git(other.path);
    CHECK(fixture.clear());
}

void the_lock_of_another_branch_is_left()
{
    const Fixture fixture;
    const std::string other =
        join_path(fixture.repository.path, ".git/refs/heads/main.lock");
    replace_file(other, "");
    CHECK(fixture.clear());
    CHECK(path_exists(other));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_lock_that_nobody_owns_is_removed_and_the_branch_can_move),
        TEST(the_lock_of_a_git_that_lives_is_left_and_named),
        TEST(a_git_in_another_repository_is_no_owner),
        TEST(the_lock_of_another_branch_is_left),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
