#include "check.hh"

#include "domain/build_spec.hh"

#include <string>

using namespace ap;
using namespace std::chrono_literals;

namespace {

std::string plan_with(const std::string &members)
{
    return "{\"run_id\": \"r\", \"phases\": [{\"id\": \"a\", " + members + "}]}";
}

PhaseSpec phase_with(const std::string &members)
{
    return parse_plan(plan_with(members), "p").tiers.at(0).phases.at(0);
}

void check_fault(const std::string &members, const std::string &expected)
{
    CHECK_THROWS(
        parse_plan(plan_with(members), "p"), PlanError, [&](const PlanError &error) {
            CHECK_EQUAL(error.faults().size(), 1u);
            CHECK_EQUAL(error.faults()[0].pointer + ": " + error.faults()[0].message,
                        "/phases/0" + expected);
        });
}

void a_goal_stands_in_place_of_a_command_with_defaults()
{
    const PhaseSpec phase = phase_with(R"("goal": "Add a test")");
    CHECK(phase.is_own_program());
    CHECK_EQUAL(phase.build->goal, "Add a test");
    CHECK_EQUAL(phase.build->category, "general");
    CHECK(phase.build->complexity == Complexity::Medium);
    CHECK_EQUAL(phase.build->risk_limit, "medium");
    CHECK(phase.build->on_stuck == StuckPolicy::Review);
    CHECK(phase.build->approval_timeout == 24h);
    CHECK(phase.build->known_failures == KnownFailures::Fix);
    CHECK_EQUAL(phase.build->check_retries, 1);
    CHECK_EQUAL(phase.max_attempts, usual_build_attempts);
}

void reads_every_member_and_writes_what_reads_back_the_same()
{
    const PhaseSpec phase = phase_with(
        R"("goal": "g", "scope": ["src/**"], "read_only": ["doc/*.md"],
        "acceptance": ["it works"], "category": "security", "complexity": "high",
        "risk_limit": "none", "models": {"builder": "m1", "auditor": "m2"},
        "context_tokens": 5000, "known_failures": "accept", "check_retries": 0,
        "on_stuck": "skip", "approval_timeout": "1500ms",
        "check": "make test", "max_attempts": 2)");
    CHECK_EQUAL(phase.build->scope.at(0), "src/**");
    CHECK_EQUAL(phase.build->auditor_model, "m2");
    CHECK(phase.build->approval_timeout == 1500ms);
    const std::string text = phase_spec_to_json(phase).dump();
    const PhaseSpec again = phase_spec_from_json(text);
    CHECK_EQUAL(phase_spec_to_json(again).dump(), text);
    CHECK_EQUAL(again.build->read_only.at(0), "doc/*.md");
    CHECK(again.build->known_failures == KnownFailures::Accept);
    CHECK_EQUAL(again.build->check_retries, 0);
    CHECK(again.build->complexity == Complexity::High);
    CHECK_EQUAL(again.max_attempts, 2);
}

void a_phase_may_merge_what_was_built()
{
    const PhaseSpec phase = phase_with(R"("merge": "commit")");
    CHECK(phase.merge == MergePolicy::Commit);
    CHECK(phase.is_own_program());
    CHECK(phase_spec_from_json(phase_spec_to_json(phase).dump()).merge ==
          MergePolicy::Commit);
}

void refuses_what_does_not_go_with_the_kind_of_work()
{
    check_fault(R"("name": "n")", ": expected a member \"command\", got none");
    check_fault(R"("goal": "g", "command": "true")",
                "/goal: expected one of \"command\", \"goal\" and \"merge\", got "
                "\"command\", too");
    check_fault(R"("goal": "g", "stdin": "x")",
                "/stdin: expected a \"command\" beside it, got a \"goal\"");
    check_fault(R"("command": "true", "scope": ["a"])",
                "/scope: expected a \"goal\" beside it, got none");
}

void names_what_is_wrong_with_a_goal()
{
    check_fault(R"("goal": " ")", "/goal: expected words, got \" \"");
    check_fault(R"("goal": "g", "complexity": "huge")",
                "/complexity: expected low, medium or high, got \"huge\"");
    check_fault(R"("goal": "g", "scope": ["../x"])",
                "/scope/0: expected a relative pattern without \"..\", got \"../x\"");
    check_fault(R"("goal": "g", "models": {"judge": "m"})",
                "/models/judge: unknown member \"judge\"");
    check_fault(R"("merge": "rebase")",
                "/merge: expected fast-forward or commit, got \"rebase\"");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_goal_stands_in_place_of_a_command_with_defaults),
        TEST(reads_every_member_and_writes_what_reads_back_the_same),
        TEST(a_phase_may_merge_what_was_built),
        TEST(refuses_what_does_not_go_with_the_kind_of_work),
        TEST(names_what_is_wrong_with_a_goal),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
