#include "check.hh"

#include "domain/stuck.hh"

using namespace ap;

namespace {

constexpr int64_t cap = 100'000;

Build failed(const std::string &signature, BuildStage stage = BuildStage::Applied,
             int64_t level = 0, int64_t tokens = 10)
{
    Build build;
    build.status = "FAILED";
    build.stage = stage;
    build.level = level;
    build.tokens = tokens;
    build.failure = {"check", "", signature, "because of " + signature};
    return build;
}

void different_failures_are_not_stuck()
{
    CHECK_EQUAL(stuck_reason({failed("a"), failed("b"), failed("a")}, cap), "");
    CHECK_EQUAL(stuck_reason({}, cap), "");
}

void the_same_failure_three_times_is()
{
    CHECK_EQUAL(stuck_reason({failed("a"), failed("b"), failed("b"), failed("b")}, cap),
                "the same failure 3 times: because of b");
}

void three_answers_without_a_change_are()
{
    CHECK_EQUAL(stuck_reason({failed("a", BuildStage::Answered),
                              failed("b", BuildStage::Answered),
                              failed("c", BuildStage::Answered)},
                             cap),
                "no change that can be applied in 3 builds");
}

void half_the_budget_without_progress_is()
{
    std::vector<Build> builds = {failed("a", BuildStage::Checked, 0, 90'000)};
    for (const char *signature : {"b", "c", "d"}) {
        CHECK_EQUAL(stuck_reason(builds, cap), "");
        builds.push_back(failed(signature, BuildStage::Applied, 0, 17'000));
    }
    CHECK_EQUAL(stuck_reason(builds, cap), "51000 tokens without progress in 3 builds");
}

void a_stronger_model_and_a_persons_yes_begin_anew()
{
    std::vector<Build> builds = {failed("a"), failed("a"),
                                 failed("a", BuildStage::Applied, 1)};
    CHECK_EQUAL(stuck_reason(builds, cap), "");
    builds = {failed("a"), failed("a"), failed("a")};
    builds.back().approval_id = 7;
    CHECK_EQUAL(stuck_reason(builds, cap), "");
}

void two_failures_bring_the_stronger_model()
{
    const NextBuild first = next_build({failed("a")}, cap, false, StuckPolicy::Fail);
    CHECK(first.step == NextBuild::Step::Build);
    CHECK_EQUAL(first.level, 0);
    const NextBuild second =
        next_build({failed("a"), failed("b")}, cap, false, StuckPolicy::Fail);
    CHECK(second.step == NextBuild::Step::Build);
    CHECK_EQUAL(second.level, 1);
}

void the_policy_decides_when_the_strongest_is_stuck()
{
    const std::vector<Build> builds = {failed("a"), failed("a"), failed("a")};
    const auto step = [&](StuckPolicy policy) {
        return next_build(builds, cap, true, policy).step;
    };
    CHECK(step(StuckPolicy::Review) == NextBuild::Step::Review);
    CHECK(step(StuckPolicy::Skip) == NextBuild::Step::Skip);
    CHECK(step(StuckPolicy::Fail) == NextBuild::Step::Fail);
    CHECK(
        next_build({failed("a"), failed("b"), failed("a")}, cap, true, StuckPolicy::Fail)
            .step == NextBuild::Step::Build);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(different_failures_are_not_stuck),
        TEST(the_same_failure_three_times_is),
        TEST(three_answers_without_a_change_are),
        TEST(half_the_budget_without_progress_is),
        TEST(a_stronger_model_and_a_persons_yes_begin_anew),
        TEST(two_failures_bring_the_stronger_model),
        TEST(the_policy_decides_when_the_strongest_is_stuck),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
