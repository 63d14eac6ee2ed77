#include "leased.hh"

#include "domain/budget_refusal.hh"
#include "domain/run.hh"

using namespace ap;

namespace {

void the_first_refusal_of_an_attempt_counts()
{
    check::LeasedRun run;
    const Lease lease = run.lease();
    CHECK(!budget_refusal(run.get(), lease.attempt_id).has_value());
    note_budget_refusal(run.get(), lease.attempt_id, {BudgetScope::Phase, "first"},
                        run.clock());
    note_budget_refusal(run.get(), lease.attempt_id, {BudgetScope::Run, "second"},
                        run.clock());
    const auto refusal = budget_refusal(run.get(), lease.attempt_id);
    CHECK(refusal->scope == BudgetScope::Phase);
    CHECK_EQUAL(refusal->reason, "first");
}

void a_phases_refusal_is_not_the_runs()
{
    check::LeasedRun run;
    const Lease a = run.lease();
    note_budget_refusal(run.get(), a.attempt_id, {BudgetScope::Phase, "x"}, run.clock());
    CHECK(!run_budget_refusal(run.get(), "r").has_value());
    const Lease b = run.lease();
    note_budget_refusal(run.get(), b.attempt_id, {BudgetScope::Day, "y"}, run.clock());
    CHECK(run_budget_refusal(run.get(), "r")->scope == BudgetScope::Day);
    CHECK(!run_budget_refusal(run.get(), "other").has_value());
}

void a_refusal_after_the_end_of_the_attempt_changes_nothing()
{
    check::LeasedRun run;
    const Lease lease = run.lease();
    run.finish(lease, AttemptStatus::Succeeded);
    note_budget_refusal(run.get(), lease.attempt_id, {BudgetScope::Run, "late"},
                        run.clock());
    CHECK(!budget_refusal(run.get(), lease.attempt_id).has_value());
}

void a_refusal_is_in_the_log_of_events()
{
    check::LeasedRun run;
    const Lease lease = run.lease();
    note_budget_refusal(run.get(), lease.attempt_id,
                        {BudgetScope::Run, "run 'r' has 5 of 100 tokens left"},
                        run.clock());
    CHECK_EQUAL(
        run.get().query_text("SELECT run_id || '/' || phase_id || '/' || attempt || ' ' "
                             "|| detail FROM events WHERE kind = 'budget.refused'"),
        "r/a/1 {\"scope\":\"run\",\"reason\":\"run 'r' has 5 of 100 tokens left\"}");
}

void a_run_refused_for_its_budget_ends_as_budget_exhausted()
{
    check::LeasedRun run;
    const Lease a = run.lease();
    const Lease b = run.lease();
    note_budget_refusal(run.get(), a.attempt_id, {BudgetScope::Run, "x"}, run.clock());
    run.finish(a, AttemptStatus::BudgetExhausted);
    run.finish(b, AttemptStatus::BudgetExhausted);
    CHECK_EQUAL(run.get().query_text("SELECT status FROM runs"),
                "DONE_FAILED_BUDGET_EXHAUSTED");
}

void a_run_with_a_refused_phase_has_failed()
{
    check::LeasedRun run;
    const Lease a = run.lease();
    const Lease b = run.lease();
    note_budget_refusal(run.get(), a.attempt_id, {BudgetScope::Phase, "x"}, run.clock());
    run.finish(a, AttemptStatus::BudgetExhausted);
    run.finish(b, AttemptStatus::Succeeded);
    CHECK_EQUAL(run.get().query_text("SELECT status FROM runs"), "DONE_FAILED");
}

void a_retry_forgets_refusals()
{
    check::LeasedRun run;
    const Lease a = run.lease();
    run.finish(run.lease(), AttemptStatus::Succeeded);
    note_budget_refusal(run.get(), a.attempt_id, {BudgetScope::Run, "x"}, run.clock());
    run.finish(a, AttemptStatus::BudgetExhausted);
    run.get().execute("UPDATE executors SET ended_at = 1");
    retry_run(run.get(), "r", std::nullopt);
    CHECK(!run_budget_refusal(run.get(), "r").has_value());
    run.finish(run.lease(), AttemptStatus::Succeeded);
    CHECK_EQUAL(run.get().query_text("SELECT status FROM runs"), "DONE_SUCCESS");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(the_first_refusal_of_an_attempt_counts),
        TEST(a_phases_refusal_is_not_the_runs),
        TEST(a_refusal_after_the_end_of_the_attempt_changes_nothing),
        TEST(a_refusal_is_in_the_log_of_events),
        TEST(a_run_refused_for_its_budget_ends_as_budget_exhausted),
        TEST(a_run_with_a_refused_phase_has_failed),
        TEST(a_retry_forgets_refusals),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
