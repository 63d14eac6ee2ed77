#include "domain/build_branch.hh"

#include "check.hh"
#include "repository.hh"

using namespace ap;
using check::Repository;

namespace {

void the_branch_begins_at_head_and_remembers_its_base()
{
    const Repository repository;
    BuildBranch branch(repository.path, "r");
    CHECK_EQUAL(branch.tip(), repository.id("main"));
    CHECK_EQUAL(branch.base(), "main");
    CHECK_EQUAL(branch.name(), "autopack/r");
}

void a_repository_without_a_commit_is_no_input()
{
    const check::TemporaryDirectory directory;
    run_git(directory.path(), {"init", "-q"});
    CHECK_THROWS(BuildBranch(directory.path(), "r").tip(), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::NoInput);
    });
}

void moving_it_again_is_no_harm_and_elsewhere_is_refused()
{
    const Repository repository;
    BuildBranch branch(repository.path, "r");
    const std::string parent = branch.tip();
    const std::string made = repository.build(branch, "two\n");
    CHECK(branch.advance(parent, made));
    const std::string other =
        branch.make_commit(repository.id("main^{tree}"), {parent}, "Other\n");
    CHECK(!branch.advance(parent, other));
    CHECK_EQUAL(branch.tip(), made);
}

void merges_forward_into_a_clean_tree()
{
    const Repository repository;
    BuildBranch branch(repository.path, "r");
    const std::string made = repository.build(branch, "two\n");
    CHECK_EQUAL(branch.merge(MergePolicy::FastForward, "m"),
                "merged autopack/r into main");
    CHECK_EQUAL(repository.id("main"), made);
    CHECK_EQUAL(read_file(join_path(repository.path, "b"), 100), "two\n");
}

void a_base_that_has_gone_on_is_merged_only_if_so_told()
{
    const Repository repository;
    BuildBranch branch(repository.path, "r");
    repository.build(branch, "two\n");
    repository.write("c", "three\n");
    repository.commit("Second");
    CHECK_THROWS(branch.merge(MergePolicy::FastForward, "m"), Error,
                 [](const Error &error) {
                     CHECK_EQUAL(std::string_view(error.what()),
                                 "'main' has gone on, and cannot be moved forward; "
                                 "branch autopack/r is left unmerged");
                 });
    branch.merge(MergePolicy::Commit, "m");
    CHECK(path_exists(join_path(repository.path, "b")));
    CHECK(path_exists(join_path(repository.path, "c")));
}

void a_dirty_tree_and_a_conflict_are_left_alone()
{
    const Repository repository;
    BuildBranch branch(repository.path, "r");
    repository.build(branch, "two\n");
    repository.write("a", "mine\n");
    const std::string before = repository.id("main");
    const auto is_left = [](const Error &error) {
        CHECK(error.status() == ExitStatus::Failed);
    };
    CHECK_THROWS(branch.merge(MergePolicy::Commit, "m"), Error, is_left);
    CHECK_EQUAL(read_file(join_path(repository.path, "a"), 100), "mine\n");
    CHECK_EQUAL(repository.id("main"), before);
    repository.write("b", "other\n");
    repository.commit("Conflict");
    CHECK_THROWS(branch.merge(MergePolicy::Commit, "m"), Error, is_left);
}

void a_message_has_a_short_subject_and_trailers()
{
    CHECK_EQUAL(commit_message("Say hello", {{"Autopack-Run", "r"}}),
                "Say hello\n\nAutopack-Run: r\n");
    const std::string goal = std::string(70, 'x') + " yyyy";
    CHECK_EQUAL(commit_message(goal, {}), std::string(70, 'x') + "\n\n" + goal + "\n\n");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(the_branch_begins_at_head_and_remembers_its_base),
        TEST(a_repository_without_a_commit_is_no_input),
        TEST(moving_it_again_is_no_harm_and_elsewhere_is_refused),
        TEST(merges_forward_into_a_clean_tree),
        TEST(a_base_that_has_gone_on_is_merged_only_if_so_told),
        TEST(a_dirty_tree_and_a_conflict_are_left_alone),
        TEST(a_message_has_a_short_subject_and_trailers),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
