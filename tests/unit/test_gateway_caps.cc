#include "ledger_support.hh"

#include "domain/budget.hh"
#include "domain/day_budget.hh"

#include <thread>

using namespace ap;
using namespace std::chrono_literals;
using check::admitted;
using check::call_of;
using check::Installation;
using check::next_answers;
using check::usage_of;

namespace {

using State = Admission::State;

// An idle tranche stays, so that nothing but a cap takes it.
const LedgerOptions patient = {60s, 5ms, 600s, 64};

class Fixture
{
public:
    Fixture()
    {
        installation.budget("r", "", 1'000'000);
        installation.budget("r", "p", 500'000);
        ledger.emplace(installation.paths(), patient);
    }

    Admission call(std::string_view id, int64_t input, int64_t output)
    {
        Admission call = admitted(*ledger, call_of(id, input, output));
        if (call.state == State::Admitted) {
            ledger->forwarding(call.call);
        }
        return call;
    }

    // As ap-budget set does.
    void cap(std::string_view phase_id, int64_t tokens) const
    {
        Sqlite database = installation.open();
        BudgetChange change;
        change.token_cap = tokens;
        set_budget(database, "r", phase_id, change);
    }

    int64_t reserved() const
    {
        return installation.number("SELECT tokens_reserved FROM budgets "
                                   "WHERE phase_id = ''");
    }

    bool becomes_reserved(int64_t tokens) const
    {
        for (int i = 0; i < 2000 && reserved() != tokens; ++i) {
            std::this_thread::sleep_for(5ms);
        }
        return reserved() == tokens;
    }

    // Uses 1,000 tokens, after which more is held than that.
    void use_some()
    {
        ledger->settle(call("first", 900, 500).call, usage_of(900, 100));
        ledger->flush(10s);
        CHECK(reserved() > 2000);
    }

    Installation installation;
    std::optional<GatewayLedger> ledger;
};

void a_cap_lowered_below_what_is_held_takes_it_back()
{
    Fixture gate;
    gate.use_some();
    gate.cap("", 1499);
    CHECK(gate.becomes_reserved(499));
    const Admission refused = gate.call("b", 500, 500);
    CHECK(refused.refusal == Refusal::RunBudget);
    CHECK_EQUAL(refused.reason, "run 'r' has 499 of 1499 tokens left, 516 asked for");
    CHECK(gate.call("c", 400, 99).state == State::Admitted);
}

void so_does_the_cap_of_a_phase_or_of_the_day()
{
    Fixture gate;
    gate.use_some();
    gate.cap("p", 1200);
    CHECK(gate.becomes_reserved(200));
    DayCapChange change;
    change.token_cap = 1100;
    Sqlite database = gate.installation.open();
    set_day_caps(database, change);
    CHECK(gate.becomes_reserved(100));
    CHECK(gate.call("b", 100, 100).refusal == Refusal::DayBudget);
}

void a_cap_of_money_is_heeded_too()
{
    Fixture gate;
    ModelFacts facts;
    facts.price = facts.long_price = {1'000'000, 0, 0, 0, 1'000'000};
    LedgerCall asked = call_of("a", 1000, 500);
    asked.facts = &facts;
    gate.ledger->settle(admitted(*gate.ledger, asked).call, usage_of(900, 100));
    gate.ledger->flush(10s);
    Sqlite database = gate.installation.open();
    BudgetChange change;
    change.cost_cap_microusd = 1200;
    set_budget(database, "r", "", change);
    for (int i = 0;
         i < 2000 && show_budget(database, "r", "").cost_reserved_microusd != 200; ++i) {
        std::this_thread::sleep_for(5ms);
    }
    CHECK_EQUAL(show_budget(database, "r", "").cost_reserved_microusd, 200);
    asked.request_id = "b";
    CHECK(admitted(*gate.ledger, asked).refusal == Refusal::RunBudget);
}

void calls_in_flight_go_on_and_what_they_leave_is_not_used_again()
{
    Fixture gate;
    gate.use_some();
    const Admission large = gate.call("large", 20'000, 500);
    const Admission small = gate.call("small", 100, 50);
    gate.cap("", 1000);
    CHECK(gate.becomes_reserved(20'650));
    CHECK(gate.call("b", 100, 50).refusal == Refusal::RunBudget);
    gate.ledger->settle(large.call, usage_of(5'000, 200));
    // At once: the cap does not have to be looked at once more.
    CHECK(gate.call("c", 100, 50).refusal == Refusal::RunBudget);
    CHECK(gate.becomes_reserved(150));
    CHECK_EQUAL(
        gate.installation.number("SELECT tokens_used FROM budgets WHERE phase_id = ''"),
        6'200);
    gate.ledger->cancel(small.call);
    CHECK(gate.becomes_reserved(0));
}

void what_another_phase_holds_under_the_runs_cap_is_given_back_too()
{
    Fixture gate;
    gate.installation.budget("r", "q", 500'000);
    gate.use_some();
    LedgerCall other = call_of("other", 900, 500);
    other.phase_id = "q";
    gate.ledger->settle(admitted(*gate.ledger, other).call, usage_of(900, 100));
    gate.ledger->flush(10s);
    gate.cap("", 2000);
    CHECK(gate.becomes_reserved(0));
}

void a_cap_that_is_raised_again_lets_calls_through()
{
    Fixture gate;
    gate.use_some();
    const Admission large = gate.call("large", 20'000, 500);
    gate.cap("", 1000);
    CHECK(gate.becomes_reserved(20'500));
    gate.cap("", 100'000);
    CHECK(gate.call("b", 1000, 500).state == State::Admitted);
    gate.ledger->cancel(large.call);
    CHECK(gate.call("c", 1000, 500).state == State::Admitted);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_cap_lowered_below_what_is_held_takes_it_back),
        TEST(so_does_the_cap_of_a_phase_or_of_the_day),
        TEST(a_cap_of_money_is_heeded_too),
        TEST(calls_in_flight_go_on_and_what_they_leave_is_not_used_again),
        TEST(what_another_phase_holds_under_the_runs_cap_is_given_back_too),
        TEST(a_cap_that_is_raised_again_lets_calls_through),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
