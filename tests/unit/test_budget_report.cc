#include "check.hh"
#include "support.hh"

#include "domain/budget_report.hh"
#include "domain/lease.hh"
#include "domain/run.hh"

using namespace ap;
using namespace std::chrono_literals;

namespace {

Usage usage(int64_t tokens)
{
    Usage used;
    used.prompt_tokens = tokens;
    return used;
}

// A state with a run `r` of 100 tokens whose phase is `a`.
class CappedRun
{
public:
    CappedRun()
        : state_({directory_.file("autopack.db"), directory_.file(".autonomous_runs"),
                  directory_.path()},
                 State::Access::Create, "test")
    {
        const std::string text = R"({"run_id": "r", "token_cap": 100, "phases": [
            {"id": "a", "command": ["true"], "token_cap": 50}]})";
        create_run(database(), parse_plan(text, "p"), text, TokenCaps(), clock_);
    }

    bool report(const std::vector<Usage> &records, const std::string &phase)
    {
        return report_usage(state_, "r", phase, records, clock_);
    }
    int64_t used() { return show_budget(database(), "r", "").tokens_used; }
    Sqlite &database() { return state_.database(); }
    const StatePaths &paths() const { return state_.paths(); }

private:
    check::TemporaryDirectory directory_;
    State state_;
    check::ManualClock clock_;
};

void tells_when_the_budget_of_run_or_phase_is_exceeded()
{
    CappedRun run;
    CHECK(!run.report({usage(20), usage(30)}, "a"));
    CHECK(run.report({usage(1)}, "a"));
    CHECK(!run.report({usage(49)}, ""));
    CHECK(run.report({usage(1)}, ""));
    CHECK_EQUAL(run.used(), 101);
}

void records_all_or_nothing()
{
    CappedRun run;
    CHECK_THROWS(run.report({usage(1)}, "no-such-phase"), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::NoInput);
    });
    CHECK_EQUAL(run.used(), 0);
}

void watches_until_the_run_has_ended()
{
    CappedRun run;
    run.report({usage(1)}, "a");
    std::vector<int64_t> seen;
    // Each change is made by the one who was told of the last, so none can be missed.
    const Budget last = watch_budget(run.database(), "r", 1ms, [&](const Budget &budget) {
        seen.push_back(budget.tokens_used);
        if (seen.size() == 1) {
            run.report({usage(200)}, "a");
        } else {
            abort_run(run.database(), "r", "enough", SystemClock());
        }
    });
    CHECK_EQUAL(seen.size(), 2U);
    CHECK_EQUAL(seen[0], 1);
    CHECK_EQUAL(seen[1], 201);
    CHECK(last.exceeded());
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(tells_when_the_budget_of_run_or_phase_is_exceeded),
        TEST(records_all_or_nothing),
        TEST(watches_until_the_run_has_ended),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
