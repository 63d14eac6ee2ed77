#include "check.hh"
#include "leased.hh"

#include "domain/budget.hh"
#include "domain/integrity.hh"
#include "domain/left_reservations.hh"
#include "domain/llm_budget.hh"

#include <sys/wait.h>
#include <unistd.h>

using namespace ap;

namespace {

// A cent a token of `dear`.
PriceList prices()
{
    return PriceList::from_json(
        Json::parse(R"({"models": {"dear": {"input": 10000, "output": 10000}}})", "p"),
        "p");
}

class Fixture : public check::LeasedRun
{
public:
    // Reserves for a call of 100 tokens of input and 300 of output, as ap-llm does.
    void call(std::optional<int64_t> attempt = 1)
    {
        LlmAccount account{"r", "a", attempt};
        account.provider = "acme";
        const PriceList list = prices();
        LlmBudget(get(), std::move(account), list, clock()).reserve("dear", 100, 300);
    }

    // The same by a process that is killed before the answer came.
    void call_and_die(std::optional<int64_t> attempt = 1)
    {
        const pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            try {
                Sqlite own(paths().database, OpenMode::ReadWrite);
                LlmAccount account{"r", "a", attempt};
                account.provider = "acme";
                const PriceList list = prices();
                LlmBudget(own, std::move(account), list, clock())
                    .reserve("dear", 100, 300);
                static_cast<void>(raise(SIGKILL));
            } catch (const Error &) {
            }
            _exit(1);
        }
        int status = 0;
        CHECK_EQUAL(waitpid(child, &status, 0), child);
        CHECK(WIFSIGNALED(status));
    }

    int64_t reserve_by_hand()
    {
        ReservationRequest request;
        request.run_id = "r";
        request.phase_id = "a";
        request.tokens = 50;
        return reserve(get(), request, clock());
    }

    // Recorded usage as PROVIDER/MODEL/INPUT/OUTPUT/MICRO-USD/ESTIMATED/ATTEMPT.
    std::string usage()
    {
        return get().query_text(
            "SELECT group_concat(provider || '/' || model || '/' || prompt_tokens || '/' "
            "|| completion_tokens || '/' || cost_microusd || '/' || estimated || '/' || "
            "coalesce(attempt, 'none'), ' ') FROM llm_usage_events");
    }

    std::string totals()
    {
        return get().query_text("SELECT group_concat(tokens_used || '+' || "
                                "tokens_reserved, ' ') FROM budgets "
                                "WHERE phase_id IN ('', 'a')");
    }

    void check_sound()
    {
        for (const Finding &finding : check_integrity(get())) {
            check::fail_at(__FILE__, __LINE__, finding.rule + ": " + finding.detail);
        }
    }
};

void a_killed_call_is_an_estimate_of_all_it_reserved()
{
    Fixture run;
    const Lease lease = run.lease();
    run.call_and_die();
    CHECK_EQUAL(run.totals(), "0+400 0+400");
    CHECK_EQUAL(settle_calls_of_attempt(run.get(), "r", "a", 1, run.clock()), 1);
    CHECK_EQUAL(run.usage(), "acme/dear/100/300/4000000/1/1");
    CHECK_EQUAL(run.totals(), "400+0 400+0");
    CHECK_EQUAL(settle_calls_of_attempt(run.get(), "r", "a", 1, run.clock()), 0);
    run.finish(lease, AttemptStatus::Failed);
    run.check_sound();
}

void a_call_under_way_is_left_to_its_process()
{
    Fixture run;
    const Lease lease = run.lease();
    run.call();
    CHECK_EQUAL(settle_calls_of_attempt(run.get(), "r", "a", 1, run.clock()), 0);
    run.finish(lease, AttemptStatus::Failed);
    CHECK_EQUAL(settle_left_calls(run.get(), "", run.clock()), 0);
    CHECK_EQUAL(count_left_reservations(run.get()), 0);
    CHECK_EQUAL(run.totals(), "0+400 0+400");
}

void other_attempts_keep_theirs()
{
    Fixture run;
    const Lease lease = run.lease();
    run.call_and_die();
    CHECK_EQUAL(settle_calls_of_attempt(run.get(), "r", "a", 2, run.clock()), 0);
    CHECK_EQUAL(settle_calls_of_attempt(run.get(), "r", "b", 1, run.clock()), 0);
    CHECK_EQUAL(run.totals(), "0+400 0+400");
}

// Its process may be one of another machine, where a batch job executes it.
void nobody_but_who_ends_it_settles_for_an_open_attempt()
{
    Fixture run;
    const Lease lease = run.lease();
    run.call_and_die();
    CHECK_EQUAL(settle_left_calls(run.get(), "r", run.clock()), 0);
    CHECK_EQUAL(count_left_reservations(run.get()), 0);
    run.finish(lease, AttemptStatus::Failed);
    CHECK_EQUAL(count_left_reservations(run.get()), 1);
    CHECK_EQUAL(settle_left_calls(run.get(), "other", run.clock()), 0);
    CHECK_EQUAL(settle_left_calls(run.get(), "r", run.clock()), 1);
    CHECK_EQUAL(run.usage(), "acme/dear/100/300/4000000/1/1");
}

void a_killed_call_outside_any_attempt_is_settled_too()
{
    Fixture run;
    run.call_and_die(std::nullopt);
    CHECK_EQUAL(settle_left_calls(run.get(), "r", run.clock()), 1);
    CHECK_EQUAL(run.usage(), "acme/dear/100/300/4000000/1/none");
}

void what_was_reserved_by_hand_is_kept_until_the_run_ends_and_given_back()
{
    Fixture run;
    run.reserve_by_hand();
    run.get().execute("UPDATE budget_reservations SET pid = 4194305"); // nobody's
    CHECK_EQUAL(settle_left_calls(run.get(), "", run.clock()), 0);
    CHECK_EQUAL(release_left_reservations(run.get(), run.clock()), 0);
    abort_run(run.get(), "r", "enough", run.clock());
    CHECK_EQUAL(settle_left_calls(run.get(), "", run.clock()), 0);
    CHECK_EQUAL(count_left_reservations(run.get()), 1);
    CHECK_EQUAL(release_left_reservations(run.get(), run.clock()), 1);
    CHECK_EQUAL(run.usage(), "");
    CHECK_EQUAL(run.totals(), "0+0 0+0");
}

void a_call_of_an_ended_run_is_never_given_back()
{
    Fixture run;
    run.call_and_die();
    run.call();
    abort_run(run.get(), "r", "enough", run.clock());
    CHECK_EQUAL(release_left_reservations(run.get(), run.clock()), 0);
    CHECK_EQUAL(settle_left_calls(run.get(), "", run.clock()), 1);
    CHECK_EQUAL(run.totals(), "400+400 400+400");
    run.check_sound();
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_killed_call_is_an_estimate_of_all_it_reserved),
        TEST(a_call_under_way_is_left_to_its_process),
        TEST(other_attempts_keep_theirs),
        TEST(nobody_but_who_ends_it_settles_for_an_open_attempt),
        TEST(a_killed_call_outside_any_attempt_is_settled_too),
        TEST(what_was_reserved_by_hand_is_kept_until_the_run_ends_and_given_back),
        TEST(a_call_of_an_ended_run_is_never_given_back),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
