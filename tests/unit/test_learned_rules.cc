#include "leased.hh"

#include "domain/learned_rules.hh"
#include "sys/path.hh"

using namespace ap;

namespace {

// Fails a build of phase `phase` of the run, and returns the phase's builds.
std::vector<Build> fail_build(check::LeasedRun &run, const std::string &phase)
{
    Build build = open_build(run.get(), "r", phase, 0, "m", run.clock());
    build.failure = {"check", "make test", "s", "check 'make test' failed"};
    end_build(run.get(), build, "FAILED", run.clock());
    return list_builds(run.get(), "r", phase);
}

void a_failure_of_one_phase_teaches_nothing()
{
    check::LeasedRun run;
    LearnedRules rules(run.paths().directory);
    fail_build(run, "a");
    CHECK_EQUAL(rules.learn(run.get(), fail_build(run, "a"), "commit x"), 0);
    CHECK_EQUAL(rules.text(), "");
}

void a_failure_of_two_phases_becomes_one_rule()
{
    check::LeasedRun run;
    LearnedRules rules(run.paths().directory);
    fail_build(run, "a");
    const auto builds = fail_build(run, "b");
    CHECK_EQUAL(rules.learn(run.get(), builds, "commit x (a.c)"), 1);
    CHECK_EQUAL(rules.learn(run.get(), builds, "commit y"), 0);
    CHECK_EQUAL(rules.text(),
                "- [check make test] Make sure that this check passes before anything "
                "else. Seen in: r/a, r/b; last: check 'make test' failed. Fixed by: "
                "commit x (a.c).\n");
}

void what_people_change_stays_and_what_they_empty_stays_away()
{
    check::LeasedRun run;
    LearnedRules rules(run.paths().directory);
    make_directories(parent_path(rules.path()));
    replace_file(rules.path(), "# Ours\n- [check make test] Run it first.\n");
    CHECK_EQUAL(rules.text(), "- [check make test] Run it first.\n");
    replace_file(rules.path(), "# Ours\n- [check make test]\n");
    CHECK_EQUAL(rules.text(), "");
    fail_build(run, "a");
    CHECK_EQUAL(rules.learn(run.get(), fail_build(run, "b"), "commit x"), 0);
    CHECK_EQUAL(rules.text(), "");
}

void a_phase_has_one_open_build_and_numbers_go_on()
{
    check::LeasedRun run;
    fail_build(run, "a");
    Build build = open_build(run.get(), "r", "a", 1, "m", run.clock());
    CHECK_EQUAL(build.number, 2);
    CHECK_THROWS(open_build(run.get(), "r", "a", 1, "m", run.clock()), Error,
                 [](const Error &) {});
    build.stage = BuildStage::Checked;
    build.tokens = 42;
    note_build(run.get(), build);
    const Build again = list_builds(run.get(), "r", "a").back();
    CHECK(again.open());
    CHECK(again.stage == BuildStage::Checked);
    CHECK_EQUAL(again.tokens, 42);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_failure_of_one_phase_teaches_nothing),
        TEST(a_failure_of_two_phases_becomes_one_rule),
        TEST(what_people_change_stays_and_what_they_empty_stays_away),
        TEST(a_phase_has_one_open_build_and_numbers_go_on),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
