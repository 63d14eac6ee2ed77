#include "check.hh"
#include "support.hh"

#include "domain/integrity.hh"
#include "domain/lease.hh"
#include "domain/run.hh"

#include <chrono>
#include <optional>
#include <string>

using namespace ap;
using namespace std::chrono_literals;

namespace {

// a, b (needs a) | c
constexpr std::string_view plan_text = R"({"run_id": "r", "tiers": [
{"id": "t1", "phases": [
    {"id": "a", "command": "true", "max_attempts": 3, "max_interruptions": 2,
     "backoff": {"first": "1s", "factor": 2, "jitter": 0}},
    {"id": "b", "command": "true", "depends_on": ["a"]}]},
{"id": "t2", "phases": [{"id": "c", "command": "true"}]}]})";

class Fixture
{
public:
    explicit Fixture(std::string_view text = plan_text)
    {
        create_run(get(), parse_plan(text, "p"), text, {}, clock);
        get().execute("INSERT INTO executors (run_id, pid, pid_started, boot_id, jobs, "
                      "started_at) VALUES ('r', 1, 1, 'b', 1, 0);"
                      "UPDATE runs SET status = 'EXECUTING'");
    }

    Sqlite &get() { return database_.get(); }

    std::optional<Lease> lease()
    {
        Transaction transaction(get());
        auto lease = lease_next_phase(get(), "r", 1, clock);
        transaction.commit();
        return lease;
    }

    /// The lease of the next phase, which must be `phase`.
    Lease lease_of(std::string_view phase)
    {
        auto lease = this->lease();
        CHECK(lease.has_value());
        CHECK_EQUAL(lease->phase.id, phase);
        return std::move(*lease);
    }

    PhaseVerdict finish(const Lease &lease, AttemptStatus status, double spread = 0)
    {
        AttemptOutcome outcome;
        outcome.status = status;
        outcome.reason = status == AttemptStatus::Succeeded ? "" : "because";
        Transaction transaction(get());
        PhaseVerdict verdict = finish_attempt(get(), lease, outcome, spread, clock);
        transaction.commit();
        return verdict;
    }

    std::string phases()
    {
        return get().query_text("SELECT group_concat(phase_id || ':' || status, ' ') "
                                "FROM (SELECT * FROM phases ORDER BY ordinal)");
    }

    std::string run()
    {
        return get().query_text("SELECT status || ':' || coalesce(reason, '') FROM runs");
    }

    void check_sound()
    {
        for (const Finding &finding : check_integrity(get())) {
            check::fail_at(__FILE__, __LINE__, finding.rule + ": " + finding.detail);
        }
    }

    check::ManualClock clock;

private:
    check::TemporaryDatabase database_;
};

void a_lease_opens_an_attempt()
{
    Fixture run;
    const Lease lease = run.lease_of("a");
    CHECK_EQUAL(lease.run_id, "r");
    CHECK_EQUAL(lease.number, 1);
    CHECK_EQUAL(lease.failures, 0);
    CHECK_EQUAL(lease.token.size(), 64u);
    CHECK_EQUAL(lease.started_at, run.clock.now());
    CHECK_EQUAL(run.phases(), "a:EXECUTING b:QUEUED c:QUEUED");
    CHECK_EQUAL(run.get().query_text("SELECT lease FROM attempts"), lease.token);
    run.check_sound();
}

void what_waits_is_not_leased()
{
    Fixture run;
    const Lease a = run.lease_of("a");
    CHECK(!run.lease()); // b needs a, c is of a later tier
    run.finish(a, AttemptStatus::Succeeded);
    const Lease b = run.lease_of("b");
    CHECK(!run.lease());
    run.finish(b, AttemptStatus::Succeeded);
    run.finish(run.lease_of("c"), AttemptStatus::Succeeded);
    CHECK(!run.lease());
    CHECK_EQUAL(run.run(), "DONE_SUCCESS:");
    run.check_sound();
}

void two_leases_of_one_phase_cannot_be()
{
    Fixture run;
    run.lease_of("a");
    CHECK_THROWS(
        run.get().execute("INSERT INTO attempts (run_id, phase_id, number, executor_id, "
                          "lease, started_at) VALUES ('r', 'a', 2, 1, 'x', 0)"),
        SqliteError, [](const SqliteError &error) { CHECK(error.is_constraint()); });
}

void a_failed_attempt_is_tried_again_after_its_backoff()
{
    Fixture run;
    const PhaseVerdict verdict = run.finish(run.lease_of("a"), AttemptStatus::Failed);
    CHECK_EQUAL(verdict.status, "QUEUED");
    CHECK_EQUAL(verdict.retry_at.value_or(0), run.clock.now() + 1000);
    CHECK_EQUAL(next_phase_due(run.get(), "r", run.clock).value_or(0),
                run.clock.now() + 1000);
    CHECK(!run.lease());
    run.clock.advance(999ms);
    CHECK(!run.lease());
    run.clock.advance(1ms);
    const Lease second = run.lease_of("a");
    CHECK_EQUAL(second.number, 2);
    CHECK_EQUAL(second.failures, 1);
    CHECK_EQUAL(run.finish(second, AttemptStatus::TimedOut).retry_at.value_or(0),
                run.clock.now() + 2000);
    run.check_sound();
}

void the_last_failure_fails_the_phase_and_skips_what_waits_for_it()
{
    Fixture run;
    for (int attempt = 1; attempt <= 3; attempt++) {
        run.clock.advance(1min);
        run.finish(run.lease_of("a"), AttemptStatus::IdleTimedOut);
    }
    CHECK_EQUAL(run.phases(), "a:FAILED b:SKIPPED c:SKIPPED");
    CHECK_EQUAL(run.run(), "DONE_FAILED:");
    run.check_sound();
}

void an_interruption_is_no_failure_and_waits_for_nothing()
{
    Fixture run;
    for (int number = 1; number <= 2; number++) {
        const Lease lease = run.lease_of("a");
        CHECK_EQUAL(lease.number, number);
        CHECK_EQUAL(lease.failures, 0);
        CHECK_EQUAL(run.finish(lease, AttemptStatus::Interrupted).status, "QUEUED");
    }
    CHECK_EQUAL(run.finish(run.lease_of("a"), AttemptStatus::Interrupted).status,
                "FAILED");
    CHECK_EQUAL(run.get().query_text("SELECT reason FROM phases WHERE phase_id = 'a'"),
                "interrupted 2 times");
    run.check_sound();
}

void neither_an_exhausted_budget_nor_an_abort_is_tried_again()
{
    for (const AttemptStatus status :
         {AttemptStatus::BudgetExhausted, AttemptStatus::Aborted}) {
        Fixture run;
        CHECK_EQUAL(run.finish(run.lease_of("a"), status).status, "FAILED");
        CHECK_EQUAL(run.phases(), "a:FAILED b:SKIPPED c:SKIPPED");
        run.check_sound();
    }
}

// Ends the lease of `a` as something that tells what is to become of its phase.
PhaseVerdict finish_with(Fixture &run, AttemptStatus status, PhaseNext next,
                         std::optional<UnixMs> until = std::nullopt)
{
    AttemptOutcome outcome;
    outcome.status = status;
    outcome.reason = "stuck";
    outcome.next = next;
    outcome.wait_until = until;
    const Lease lease = run.lease_of("a");
    Transaction transaction(run.get());
    PhaseVerdict verdict = finish_attempt(run.get(), lease, outcome, 0, run.clock);
    transaction.commit();
    return verdict;
}

void a_phase_that_cannot_succeed_is_not_tried_again()
{
    Fixture run;
    CHECK_EQUAL(finish_with(run, AttemptStatus::Failed, PhaseNext::Fail).status,
                "FAILED");
    run.check_sound();
}

void a_phase_that_is_given_up_skips_what_needs_it_and_fails_nothing()
{
    Fixture run;
    CHECK_EQUAL(finish_with(run, AttemptStatus::Failed, PhaseNext::Skip).status,
                "SKIPPED");
    CHECK_EQUAL(run_standing(run.get(), "r").failed_phases, 0);
    run.check_sound();
}

void a_phase_that_waits_is_due_at_its_time_and_counts_as_nothing()
{
    Fixture run;
    for (int i = 0; i < 4; i++) {
        const UnixMs due = run.clock.now() + 5000;
        CHECK_EQUAL(finish_with(run, AttemptStatus::Interrupted, PhaseNext::Wait, due)
                        .retry_at.value_or(0),
                    due);
        CHECK_EQUAL(next_phase_due(run.get(), "r", run.clock).value_or(0), due);
        run.clock.advance(std::chrono::milliseconds(5000));
    }
    CHECK_EQUAL(run.get().query_integer("SELECT failures + interruptions FROM phases "
                                        "WHERE phase_id = 'a'"),
                0);
}

void a_clock_set_back_does_not_prolong_a_wait()
{
    Fixture run;
    run.finish(run.lease_of("a"), AttemptStatus::Failed);
    run.clock.set(run.clock.now() - 3'600'000);
    CHECK_EQUAL(next_phase_due(run.get(), "r", run.clock).value_or(0), run.clock.now());
    run.lease_of("a");
}

void a_clock_set_forward_ends_a_wait_early_and_does_no_other_harm()
{
    Fixture run;
    run.finish(run.lease_of("a"), AttemptStatus::Failed);
    run.clock.set(run.clock.now() + 3'600'000);
    const Lease second = run.lease_of("a");
    run.clock.set(run.clock.now() - 7'200'000);
    CHECK_EQUAL(run.finish(second, AttemptStatus::Succeeded).status, "COMPLETE");
    run.lease_of("b");
    run.check_sound();
}

void a_lease_given_back_leaves_no_attempt()
{
    Fixture run;
    const Lease lease = run.lease_of("a");
    Transaction transaction(run.get());
    return_lease(run.get(), lease, run.clock.now() + 500, "breaker x is open", run.clock);
    transaction.commit();
    CHECK_EQUAL(run.get().query_integer("SELECT count(*) FROM attempts"), 0);
    CHECK(!run.lease());
    run.clock.advance(500ms);
    CHECK_EQUAL(run.lease_of("a").number, 1);
    run.check_sound();
}

void checks_are_a_state_of_their_own()
{
    Fixture run;
    const Lease lease = run.lease_of("a");
    begin_checks(run.get(), lease);
    CHECK_EQUAL(run.phases(), "a:CI_RUNNING b:QUEUED c:QUEUED");
    CHECK(has_open_attempts(run.get(), "r"));
    run.check_sound();
    run.finish(lease, AttemptStatus::Succeeded);
    CHECK(!has_open_attempts(run.get(), "r"));
}

void an_aborted_run_has_nothing_open()
{
    Fixture run;
    run.lease_of("a");
    abort_run(run.get(), "r", "no more", run.clock);
    CHECK_EQUAL(run.phases(), "a:FAILED b:SKIPPED c:SKIPPED");
    CHECK_EQUAL(run.run(), "DONE_ABORTED:no more");
    CHECK_EQUAL(run.get().query_text("SELECT status FROM attempts"), "ABORTED");
    CHECK(run_standing(run.get(), "r").ended());
    run.check_sound();
}

void a_run_aborted_over_its_budget_says_so()
{
    Fixture run;
    run.get().execute("UPDATE budgets SET token_cap = 0 WHERE phase_id = '';"
                      "INSERT INTO llm_usage_events (run_id, prompt_tokens, "
                      "completion_tokens, source, created_at) "
                      "VALUES ('r', 1, 0, 'report', 1)");
    abort_run(run.get(), "r", "over", run.clock);
    CHECK_EQUAL(run.run(), "DONE_FAILED_BUDGET_EXHAUSTED:over");
    run.check_sound();
}

void ending_a_phase_twice_counts_once()
{
    Fixture run;
    end_phase(run.get(), "r", "a", "COMPLETE", "", run.clock);
    end_phase(run.get(), "r", "a", "FAILED", "late", run.clock);
    CHECK_EQUAL(run.phases(), "a:COMPLETE b:QUEUED c:QUEUED");
    run.check_sound();
}

void the_standing_of_a_run_that_is_not_there_is_an_error()
{
    Fixture run;
    CHECK_THROWS(run_standing(run.get(), "x"), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::NoInput);
    });
}

void backoff_grows_to_its_longest_and_is_shortened_at_random()
{
    Backoff backoff;
    backoff.first = 100ms;
    backoff.factor = 3;
    backoff.longest = 1s;
    backoff.jitter = 0.5;
    CHECK_EQUAL(backoff_wait(backoff, 1, 0).count(), 100);
    CHECK_EQUAL(backoff_wait(backoff, 2, 0).count(), 300);
    CHECK_EQUAL(backoff_wait(backoff, 4, 0).count(), 1000);
    CHECK_EQUAL(backoff_wait(backoff, 100'000, 0).count(), 1000);
    CHECK_EQUAL(backoff_wait(backoff, 2, 1).count(), 150);
    CHECK_EQUAL(backoff_wait(backoff, 4, 0.5).count(), 750);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_lease_opens_an_attempt),
        TEST(what_waits_is_not_leased),
        TEST(two_leases_of_one_phase_cannot_be),
        TEST(a_failed_attempt_is_tried_again_after_its_backoff),
        TEST(the_last_failure_fails_the_phase_and_skips_what_waits_for_it),
        TEST(an_interruption_is_no_failure_and_waits_for_nothing),
        TEST(neither_an_exhausted_budget_nor_an_abort_is_tried_again),
        TEST(a_phase_that_cannot_succeed_is_not_tried_again),
        TEST(a_phase_that_is_given_up_skips_what_needs_it_and_fails_nothing),
        TEST(a_phase_that_waits_is_due_at_its_time_and_counts_as_nothing),
        TEST(a_clock_set_back_does_not_prolong_a_wait),
        TEST(a_clock_set_forward_ends_a_wait_early_and_does_no_other_harm),
        TEST(a_lease_given_back_leaves_no_attempt),
        TEST(checks_are_a_state_of_their_own),
        TEST(an_aborted_run_has_nothing_open),
        TEST(a_run_aborted_over_its_budget_says_so),
        TEST(ending_a_phase_twice_counts_once),
        TEST(the_standing_of_a_run_that_is_not_there_is_an_error),
        TEST(backoff_grows_to_its_longest_and_is_shortened_at_random),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
