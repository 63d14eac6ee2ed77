#include "net/builder.hh"

#include "check.hh"
#include "questioner.hh"
#include "repository.hh"

#include "domain/approval.hh"
#include "domain/run.hh"

using namespace ap;
using check::Answer;
using check::contains;
using check::ScriptedQuestioner;

namespace {

const std::string good = "a\n<<<<<<< SEARCH\none\n=======\ntwo\n>>>>>>> REPLACE\n";
const std::string bad = "a\n<<<<<<< SEARCH\none\n=======\nthree\n>>>>>>> REPLACE\n";
const std::string approves = R"({"verdict": "approve", "issues": []})";
const std::string refuses =
    R"({"verdict": "major", "issues": [{"severity": "major", "text": "too polite"}]})";

// A run `r` whose phase `p` has a goal in a repository whose file "a" says "one".
class Fixture
{
public:
    explicit Fixture(const std::string &members = R"(, "check": "grep -q two a")")
        : state_({repository.directory.file("autopack.db"),
                  repository.directory.file("runs"), repository.directory.path()},
                 State::Access::Create, "test")
        , models_(ModelTable::from_json(Json::parse(R"({
            "builder": [{"models": ["small", "big"], "max_output": 400}],
            "auditor": [{"models": ["judge"], "max_output": 300}], "planner": []})",
                                                    "t"),
                                        "t"))
    {
        const std::string plan =
            R"({"run_id": "r", "phases": [{"id": "p", "cwd": "repo", "on_stuck": "fail",
                "goal": "Say two")" +
            members + "}]}";
        create_run(state_.database(), parse_plan(plan, "p"), plan, TokenCaps(), clock);
    }

    BuilderResult build(ScriptedQuestioner &questioner, const std::string &run = "r")
    {
        return Builder(state_, questioner, models_, {run, "p", 1}, clock).run();
    }

    std::string committed(const std::string &name) const
    {
        return run_git(repository.path, {"show", "autopack/r:" + name});
    }
    int64_t commits() const
    {
        return std::stoll(
            run_git(repository.path, {"rev-list", "--count", "main..autopack/r"}));
    }
    std::vector<Build> builds() { return list_builds(state_.database(), "r", "p"); }
    State &state() { return state_; }
    std::string file(const std::string &name) const
    {
        return repository.directory.file("runs/r/phases/p/" + name);
    }

    check::Repository repository;
    check::ManualClock clock;

private:
    State state_;
    ModelTable models_;
};

void a_change_that_is_checked_and_audited_is_committed()
{
    Fixture fixture;
    ScriptedQuestioner questioner({{good}, {approves}});
    const BuilderResult result = fixture.build(questioner);
    CHECK_EQUAL(result.status, ExitStatus::Done);
    CHECK_EQUAL(fixture.committed("a"), "two\n");
    CHECK_EQUAL(fixture.commits(), 1);
    CHECK(contains(
        run_git(fixture.repository.path, {"log", "-1", "--format=%B", "autopack/r"}),
        "Autopack-Tokens: 30\n"));
    CHECK_EQUAL(fixture.builds().at(0).status, "COMMITTED");
    CHECK(contains(questioner.asked[0].text, "FILE: a\n```\none\n```\n"));
    CHECK(contains(questioner.asked[1].text, "check 'grep -q two a' passed"));
    // The files that are checked out are as they were, and no worktree is left.
    CHECK_EQUAL(read_file(join_path(fixture.repository.path, "a"), 100), "one\n");
    CHECK(!path_exists(fixture.file("build-1/tree")));
}

void a_phase_that_was_committed_asks_nobody()
{
    Fixture fixture;
    ScriptedQuestioner questioner({{good}, {approves}});
    fixture.build(questioner);
    CHECK_EQUAL(fixture.build(questioner).status, ExitStatus::Done);
    CHECK_EQUAL(questioner.asked.size(), 2);
    CHECK_EQUAL(fixture.commits(), 1);
}

void what_failed_is_told_to_the_next_build()
{
    Fixture fixture;
    ScriptedQuestioner questioner({{bad}, {good}, {refuses}, {good}, {approves}});
    const BuilderResult first = fixture.build(questioner);
    CHECK_EQUAL(first.status, ExitStatus::Failed);
    CHECK(first.verdict.next == PhaseNext::Retry);
    CHECK_EQUAL(first.verdict.reason, "check 'grep -q two a' exited with status 1");
    CHECK_EQUAL(fixture.build(questioner).verdict.reason,
                "the auditor: major: too polite");
    CHECK_EQUAL(fixture.build(questioner).status, ExitStatus::Done);
    CHECK(!contains(questioner.asked[0].text, "Why your last change"));
    CHECK(contains(questioner.asked[1].text, "+three"));
    CHECK(contains(questioner.asked[3].text, "too polite"));
    // Two failures with one model bring in the next.
    CHECK_EQUAL(questioner.asked[1].model, "small");
    CHECK_EQUAL(questioner.asked[3].model, "big");
}

void a_build_that_was_left_open_goes_on_without_asking_again()
{
    Fixture fixture;
    ScriptedQuestioner first({{good}});
    CHECK_THROWS(fixture.build(first), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BudgetExhausted);
    });
    CHECK(fixture.builds().at(0).open());
    ScriptedQuestioner second({{approves}});
    CHECK_EQUAL(fixture.build(second).status, ExitStatus::Done);
    CHECK_EQUAL(second.asked.size(), 1);
    CHECK_EQUAL(fixture.builds().size(), 1);
    CHECK_EQUAL(fixture.builds().at(0).tokens, 30);
}

void what_others_commit_meanwhile_is_merged_and_checked_with_the_change()
{
    Fixture fixture(R"(, "check": "grep -q two a && ! test -e broken")");
    BuildBranch branch(fixture.repository.path, "r");
    ScriptedQuestioner fine({{good}, Answer{approves, "stop", {}, [&] {
                                                fixture.repository.build(branch, "b\n",
                                                                         "b");
                                            }}});
    CHECK_EQUAL(fixture.build(fine).status, ExitStatus::Done);
    CHECK_EQUAL(fixture.committed("a") + fixture.committed("b"), "two\nb\n");

    Fixture other(R"(, "check": "grep -q two a && ! test -e broken")");
    BuildBranch others(other.repository.path, "r");
    ScriptedQuestioner broken({{good}, Answer{approves, "stop", {}, [&] {
                                                  other.repository.build(others, "b\n",
                                                                         "broken");
                                              }}});
    const BuilderResult result = other.build(broken);
    CHECK_EQUAL(result.status, ExitStatus::Failed);
    CHECK(result.verdict.reason.starts_with("check 'grep -q two a"));
    CHECK_EQUAL(other.committed("a"), "one\n");
}

void a_test_that_others_have_mended_may_not_be_broken_again()
{
    // It fails where "a" is as it was and where both files are there.
    const std::string check =
        R"(, "known_failures": "accept", "check_retries": 0, "scope": ["c"], "check":
        "if test -e b && ! test -e c; then echo ok 1 - t; else echo not ok 1 - t; fi")";
    const std::string adds = "FILE: c\n```\nc\n```\n";
    Fixture fixture(check);
    ScriptedQuestioner alone({{adds}, {approves}});
    CHECK_EQUAL(fixture.build(alone).status, ExitStatus::Done);

    Fixture other(check);
    BuildBranch branch(other.repository.path, "r");
    ScriptedQuestioner late({{adds}, Answer{approves, "stop", {}, [&] {
                                                other.repository.build(branch, "b\n",
                                                                       "b");
                                            }}});
    CHECK(contains(other.build(late).verdict.reason, ": t failed"));
}

void lines_that_others_have_changed_are_a_conflict()
{
    Fixture fixture;
    BuildBranch branch(fixture.repository.path, "r");
    ScriptedQuestioner questioner({{good}, Answer{approves, "stop", {}, [&] {
                                                      fixture.repository.build(
                                                          branch, "other\n", "a");
                                                  }}});
    CHECK_EQUAL(fixture.build(questioner).status, ExitStatus::Failed);
    CHECK_EQUAL(fixture.builds().at(0).failure.failure_class, "conflict");
    CHECK_EQUAL(fixture.committed("a"), "other\n");
}

void a_risky_change_waits_for_a_person_and_is_not_made_again()
{
    Fixture fixture(R"(, "risk_limit": "none", "check": "grep -q two a")");
    ScriptedQuestioner questioner({{good}, {approves}});
    const BuilderResult waits = fixture.build(questioner);
    CHECK_EQUAL(waits.status, ExitStatus::ApprovalNeeded);
    CHECK(waits.verdict.next == PhaseNext::Wait);
    CHECK_EQUAL(fixture.build(questioner).status, ExitStatus::ApprovalNeeded);
    decide_approval(fixture.state(), *fixture.builds().at(0).approval_id, {true, "me"},
                    fixture.clock);
    CHECK_EQUAL(fixture.build(questioner).status, ExitStatus::Done);
    CHECK_EQUAL(questioner.asked.size(), 2);
    CHECK_EQUAL(fixture.committed("a"), "two\n");
}

void a_phase_without_a_goal_or_none_at_all_is_refused()
{
    Fixture fixture;
    const std::string plan =
        R"({"run_id": "s", "phases": [{"id": "p", "cwd": "repo", "command": "true"}]})";
    create_run(fixture.state().database(), parse_plan(plan, "p"), plan, TokenCaps(),
               fixture.clock);
    ScriptedQuestioner questioner({});
    CHECK_THROWS(fixture.build(questioner, "s"), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
        CHECK_EQUAL(std::string_view(error.what()), "phase 'p' has no goal");
    });
    CHECK_THROWS(stored_phase(fixture.state().database(), "s", "q"), Error,
                 [](const Error &error) {
                     CHECK_EQUAL(std::string_view(error.what()),
                                 "run 's' has no phase 'q'");
                 });
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_change_that_is_checked_and_audited_is_committed),
        TEST(a_phase_that_was_committed_asks_nobody),
        TEST(what_failed_is_told_to_the_next_build),
        TEST(a_build_that_was_left_open_goes_on_without_asking_again),
        TEST(what_others_commit_meanwhile_is_merged_and_checked_with_the_change),
        TEST(a_test_that_others_have_mended_may_not_be_broken_again),
        TEST(lines_that_others_have_changed_are_a_conflict),
        TEST(a_risky_change_waits_for_a_person_and_is_not_made_again),
        TEST(a_phase_without_a_goal_or_none_at_all_is_refused),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
