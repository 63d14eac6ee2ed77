#include "ledger_support.hh"

#include "domain/budget.hh"
#include "domain/day_budget.hh"
#include "domain/integrity.hh"

#include <fcntl.h>
#include <thread>

using namespace ap;
using namespace std::chrono_literals;
using check::admitted;
using check::call_of;
using check::Installation;
using check::next_answers;
using check::seen;
using check::usage_of;

namespace {

using State = Admission::State;

const LedgerOptions quick = {60s, 5ms, 100ms, 64};

void check_sound(const Installation &installation)
{
    Sqlite database = installation.open();
    for (const Finding &finding : check_integrity(database)) {
        if (finding.rule.starts_with("budget") || finding.rule.starts_with("gateway") ||
            finding.rule.starts_with("day")) {
            throw std::logic_error(finding.rule + ": " + finding.detail);
        }
    }
}

template <typename Condition>
void eventually(const Condition &condition)
{
    for (int i = 0; i < 2000 && !condition(); ++i) {
        std::this_thread::sleep_for(5ms);
    }
    CHECK(condition());
}

void a_call_is_reserved_durably_before_it_is_admitted()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 50'000);
    GatewayLedger ledger(installation.paths(), quick);
    const Admission call = admitted(ledger, call_of("a", 1000, 500));
    CHECK(call.state == State::Admitted);
    CHECK_EQUAL(call.output, 500);
    CHECK(installation.number(
              "SELECT tokens_reserved FROM budgets WHERE phase_id = 'p'") >= 1500);
    ledger.cancel(call.call);
}

void settled_usage_is_recorded_with_all_its_figures()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 50'000);
    GatewayLedger ledger(installation.paths(), quick);
    LedgerCall asked = call_of("a", 1000, 500);
    asked.attempt = 3;
    ModelFacts facts;
    facts.price =
        facts.long_price = {3'000'000, 300'000, 3'750'000, 6'000'000, 15'000'000};
    asked.facts = &facts;
    const Admission call = admitted(ledger, asked);
    ledger.forwarding(call.call);
    Usage usage = usage_of(900, 100);
    usage.cached_tokens = 400;
    usage.cache_write_tokens = 200;
    usage.reasoning_tokens = 50;
    usage.model = "m-2026";
    ledger.settle(call.call, usage, 100);
    ledger.flush(10s);
    CHECK_EQUAL(
        installation.open().query_text(
            "SELECT group_concat(run_id || '/' || phase_id || '/' || attempt || '/' || "
            "provider || '/' || model || '/' || prompt_tokens || '/' || "
            "completion_tokens || "
            "'/' || cached_tokens || '/' || cache_write_tokens || '/' || "
            "reasoning_tokens || "
            "'/' || cost_microusd || '/' || source || '/' || estimated || '/' || "
            "request_id) "
            "FROM llm_usage_events"),
        // 300 x 3 + 400 x 0.3 + 100 x 3.75 + 100 x 6 + 100 x 15 = 3495
        "r/p/3/mock/m-2026/900/100/400/200/50/3495/gateway/0/a");
    CHECK_EQUAL(
        installation.number("SELECT tokens_used FROM budgets WHERE phase_id = 'p'"),
        1000);
    CHECK_EQUAL(ledger.largest_output("m-2026"), 100);
    check_sound(installation);
}

void the_largest_answer_is_remembered()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 50'000);
    {
        GatewayLedger ledger(installation.paths(), quick);
        for (const int64_t output : {70, 300, 20}) {
            const std::string id = std::to_string(output);
            ledger.settle(admitted(ledger, call_of(id, 10, 400)).call,
                          usage_of(10, output));
        }
        CHECK_EQUAL(ledger.largest_output("other"), 0);
    }
    GatewayLedger ledger(installation.paths(), quick);
    CHECK_EQUAL(ledger.largest_output("m"), 300);
}

void everything_is_given_back_at_the_end()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 50'000);
    {
        GatewayLedger ledger(installation.paths(), quick);
        ledger.settle(admitted(ledger, call_of("a", 100, 100)).call, usage_of(90, 10));
        const Admission never_sent = admitted(ledger, call_of("b", 100, 100));
        CHECK(never_sent.state == State::Admitted);
        const Admission under_way = admitted(ledger, call_of("c", 100, 100));
        ledger.forwarding(under_way.call);
    }
    CHECK_EQUAL(
        installation.number("SELECT tokens_reserved FROM budgets WHERE phase_id = ''"),
        0);
    // The call under way counts in full: nothing of it was seen.
    CHECK_EQUAL(
        installation.number("SELECT tokens_used FROM budgets WHERE phase_id = ''"),
        100 + 200);
    CHECK_EQUAL(
        installation.number("SELECT count(*) FROM llm_usage_events WHERE estimated"), 1);
    CHECK_EQUAL(
        installation.number("SELECT count(*) FROM gateways WHERE ended_at IS NULL"), 0);
    check_sound(installation);
}

void an_idle_tranche_is_given_back_within_seconds()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 50'000);
    GatewayLedger ledger(installation.paths(), quick);
    ledger.settle(admitted(ledger, call_of("a", 1000, 500)).call, usage_of(900, 100));
    eventually([&] {
        return installation.number(
                   "SELECT tokens_reserved FROM budgets WHERE phase_id = ''") == 0;
    });
    CHECK_EQUAL(installation.number("SELECT settled_tokens FROM budget_reservations"),
                1000);
    CHECK(admitted(ledger, call_of("b", 1000, 500)).state == State::Admitted);
}

void a_call_waits_for_those_in_flight_and_gets_what_they_leave()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 2'000);
    GatewayLedger ledger(installation.paths(), quick);
    const Admission first = admitted(ledger, call_of("a", 1000, 500));
    CHECK(first.state == State::Admitted);
    const Admission second = ledger.admit(call_of("b", 1000, 500));
    CHECK(second.state == State::Waiting);
    CHECK(next_answers(ledger, 100).empty());
    ledger.settle(first.call, usage_of(400, 50));
    const auto answers = next_answers(ledger, 5000);
    CHECK_EQUAL(answers.size(), size_t{1});
    CHECK(answers[0].state == State::Admitted);
    CHECK_EQUAL(answers[0].output, 500);
    ledger.settle(answers[0].call, usage_of(1000, 500));
    ledger.flush(10s);
    CHECK_EQUAL(
        installation.number("SELECT tokens_used FROM budgets WHERE phase_id = 'p'"),
        1950);
}

void what_can_never_fit_is_refused_at_once_with_the_figures()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 2'000);
    GatewayLedger ledger(installation.paths(), quick);
    const Admission held = admitted(ledger, call_of("a", 500, 500));
    CHECK(held.state == State::Admitted);
    const Admission refused = admitted(ledger, call_of("b", 5000, 500));
    CHECK(refused.state == State::Refused);
    CHECK(refused.refusal == Refusal::PhaseBudget);
    CHECK(refused.reason.starts_with("phase 'p' of run 'r' has "));
    CHECK(refused.reason.ends_with(" of 2000 tokens left, 5016 asked for"));
    ledger.cancel(held.call);
    CHECK_EQUAL(ledger.status().refused, 1);
}

void a_call_gets_less_output_if_that_is_enough_for_it()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 2'000);
    GatewayLedger ledger(installation.paths(), quick);
    LedgerCall asked = call_of("a", 1000, 32'000);
    asked.output_least = 256;
    const Admission call = admitted(ledger, asked);
    CHECK(call.state == State::Admitted);
    CHECK_EQUAL(call.output, 1000);
    ledger.settle(call.call, usage_of(1000, 900));
    asked.request_id = "b";
    asked.input = 10;
    const Admission none = admitted(ledger, asked);
    CHECK(none.refusal == Refusal::PhaseBudget);
}

void a_call_that_waited_too_long_is_told_so()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 2'000);
    LedgerOptions impatient = quick;
    impatient.wait_limit = 200ms;
    GatewayLedger ledger(installation.paths(), impatient);
    const Admission held = admitted(ledger, call_of("a", 1500, 100));
    const Admission late = admitted(ledger, call_of("b", 1500, 100));
    CHECK(late.state == State::Refused);
    CHECK(late.refusal == Refusal::Timeout);
    ledger.cancel(held.call);
    CHECK(admitted(ledger, call_of("c", 1500, 100)).state == State::Admitted);
}

void the_runs_cap_holds_over_its_phases()
{
    const Installation installation;
    installation.budget("r", "", 3'000);
    installation.budget("r", "p", 3'000);
    installation.budget("r", "q", 3'000);
    GatewayLedger ledger(installation.paths(), quick);
    ledger.settle(admitted(ledger, call_of("a", 1000, 1000)).call, usage_of(1000, 1000));
    LedgerCall other = call_of("b", 1000, 100);
    other.phase_id = "q";
    const Admission refused = admitted(ledger, other);
    CHECK(refused.refusal == Refusal::RunBudget);
    CHECK_EQUAL(refused.reason, "run 'r' has 1000 of 3000 tokens left, 1016 asked for");
}

void another_phases_idle_tranche_refuses_nobody()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 100'000);
    installation.budget("r", "q", 100'000);
    LedgerOptions patient = quick;
    patient.idle_limit = 1h;
    GatewayLedger ledger(installation.paths(), patient);
    for (const char *id : {"a", "b", "c", "d"}) {
        ledger.settle(admitted(ledger, call_of(id, 1000, 1000)).call, usage_of(1000, 0));
    }
    ledger.flush(10s);
    const int64_t held = installation.number("SELECT tokens_reserved FROM budgets WHERE "
                                             "phase_id = 'p'");
    CHECK(held > 1000);
    LedgerCall all = call_of("all", 96'000 - 10, 10);
    all.phase_id = "q";
    all.output_least = 10;
    CHECK(admitted(ledger, all).state == State::Admitted);
}

void money_is_capped_too()
{
    const Installation installation;
    installation.budget("r", "", 1'000'000, 10'000);
    installation.budget("r", "p", 1'000'000);
    GatewayLedger ledger(installation.paths(), quick);
    ModelFacts facts;
    facts.price =
        facts.long_price = {1'000'000, 1'000'000, 1'000'000, 1'000'000, 10'000'000};
    LedgerCall asked = call_of("a", 1000, 5000);
    asked.facts = &facts;
    const Admission clamped = admitted(ledger, asked);
    CHECK(clamped.state == State::Admitted);
    CHECK_EQUAL(clamped.output, 900); // 10,000 - 1000 micro-dollars at 10 a token
    ledger.settle(clamped.call, usage_of(1000, 800));
    asked.request_id = "b";
    const Admission refused = admitted(ledger, asked);
    CHECK(refused.refusal == Refusal::RunBudget);
    CHECK_EQUAL(refused.reason, "run 'r' has $0.0010 of $0.0100 left, $0.0011 asked for");
}

void the_day_is_capped_over_all_runs()
{
    const Installation installation;
    for (const std::string_view run : {"r", "s"}) {
        installation.budget(run, "", 1'000'000);
        installation.budget(run, "p", 1'000'000);
    }
    {
        Sqlite database = installation.open();
        set_day_caps(database, {5'000, std::nullopt});
    }
    GatewayLedger ledger(installation.paths(), quick);
    ledger.settle(admitted(ledger, call_of("a", 1000, 3000)).call, usage_of(1000, 3000));
    LedgerCall other = call_of("b", 1000, 100);
    other.run_id = "s";
    const Admission refused = admitted(ledger, other);
    CHECK(refused.refusal == Refusal::DayBudget);
    CHECK(refused.reason.starts_with("day 20"));
    CHECK(refused.reason.ends_with(" has 1000 of 5000 tokens left, 1016 asked for"));
    other.request_id = "c";
    other.input = 900;
    CHECK(admitted(ledger, other).state == State::Admitted);
    check_sound(installation);
}

void known_input_frees_what_its_bound_held()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 4'000);
    GatewayLedger ledger(installation.paths(), quick);
    const Admission first = admitted(ledger, call_of("a", 3000, 500));
    CHECK(ledger.admit(call_of("b", 2000, 500)).state == State::Waiting);
    CHECK(ledger.observe(first.call, seen(300, 1)));
    const auto answers = next_answers(ledger, 5000);
    CHECK_EQUAL(answers.size(), size_t{1});
    CHECK(answers[0].state == State::Admitted);
    ledger.cancel(answers[0].call);
    ledger.cancel(first.call);
}

void more_than_was_reserved_is_recorded_and_stops_the_rest()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 2'000);
    GatewayLedger ledger(installation.paths(), quick);
    const Admission call = admitted(ledger, call_of("a", 1000, 500));
    ledger.forwarding(call.call);
    CHECK(!ledger.observe(call.call, seen({}, 5000)));
    ledger.settle(call.call, usage_of(1000, 5000));
    ledger.flush(10s);
    CHECK_EQUAL(
        installation.number("SELECT tokens_used FROM budgets WHERE phase_id = 'p'"),
        6000);
    CHECK_EQUAL(ledger.status().over_delivered, 4500);
    CHECK(admitted(ledger, call_of("b", 1, 16)).refusal == Refusal::PhaseBudget);
    check_sound(installation);
}

void a_raised_cap_lets_calls_through()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 100);
    GatewayLedger ledger(installation.paths(), quick);
    CHECK(admitted(ledger, call_of("a", 1000, 100)).refusal == Refusal::PhaseBudget);
    {
        Sqlite database = installation.open();
        set_budget(database, "r", "p", {50'000, std::nullopt});
    }
    CHECK(admitted(ledger, call_of("b", 1000, 100)).state == State::Admitted);
}

void an_unknown_run_or_phase_has_no_account()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    GatewayLedger ledger(installation.paths(), quick);
    const Admission refused = admitted(ledger, call_of("a", 10, 16));
    CHECK(refused.refusal == Refusal::NoAccount);
    CHECK_EQUAL(refused.reason, "no phase 'p' of run 'r'");
    LedgerCall run = call_of("b", 10, 16);
    run.phase_id = "";
    CHECK(admitted(ledger, run).state == State::Admitted);
}

void a_deleted_run_is_forgotten()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 100'000);
    GatewayLedger ledger(installation.paths(), quick);
    const Admission call = admitted(ledger, call_of("a", 10, 16));
    installation.open().execute("DELETE FROM runs");
    ledger.settle(call.call, usage_of(10, 5));
    ledger.flush(10s);
    CHECK_EQUAL(ledger.status().trouble, "");
    const Admission refused = admitted(ledger, call_of("b", 10, 16));
    CHECK_EQUAL(refused.refusal, Refusal::NoAccount);
}

void more_calls_than_slots_are_too_many()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 100'000);
    LedgerOptions few = quick;
    few.slots = 2;
    GatewayLedger ledger(installation.paths(), few);
    const Admission first = admitted(ledger, call_of("a", 10, 16));
    const Admission second = admitted(ledger, call_of("b", 10, 16));
    CHECK(ledger.admit(call_of("c", 10, 16)).refusal == Refusal::Busy);
    ledger.cancel(second.call);
    CHECK(admitted(ledger, call_of("d", 10, 16)).state == State::Admitted);
    ledger.cancel(first.call);
}

void ids_of_calls_that_ended_are_ignored()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 100'000);
    GatewayLedger ledger(installation.paths(), quick);
    const Admission call = admitted(ledger, call_of("a", 10, 16));
    ledger.settle(call.call, usage_of(10, 16));
    ledger.settle(call.call, usage_of(10, 16));
    ledger.cancel(call.call);
    ledger.flush(10s);
    ledger.settle(call.call, usage_of(10, 16));
    ledger.cancel(0);
    ledger.cancel(~CallId{0});
    CHECK(!ledger.observe(call.call, seen(1, 1)));
    ledger.flush(10s);
    CHECK_EQUAL(
        installation.number("SELECT tokens_used FROM budgets WHERE phase_id = ''"), 26);
}

void one_journal_has_one_gateway()
{
    const Installation installation;
    GatewayLedger ledger(installation.paths(), quick);
    CHECK_THROWS(
        GatewayLedger(installation.paths(), quick), Error,
        [](const Error &error) { CHECK_EQUAL(error.status(), ExitStatus::TryAgain); });
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_call_is_reserved_durably_before_it_is_admitted),
        TEST(settled_usage_is_recorded_with_all_its_figures),
        TEST(the_largest_answer_is_remembered),
        TEST(everything_is_given_back_at_the_end),
        TEST(an_idle_tranche_is_given_back_within_seconds),
        TEST(a_call_waits_for_those_in_flight_and_gets_what_they_leave),
        TEST(what_can_never_fit_is_refused_at_once_with_the_figures),
        TEST(a_call_gets_less_output_if_that_is_enough_for_it),
        TEST(a_call_that_waited_too_long_is_told_so),
        TEST(the_runs_cap_holds_over_its_phases),
        TEST(another_phases_idle_tranche_refuses_nobody),
        TEST(money_is_capped_too),
        TEST(the_day_is_capped_over_all_runs),
        TEST(known_input_frees_what_its_bound_held),
        TEST(more_than_was_reserved_is_recorded_and_stops_the_rest),
        TEST(a_raised_cap_lets_calls_through),
        TEST(an_unknown_run_or_phase_has_no_account),
        TEST(a_deleted_run_is_forgotten),
        TEST(more_calls_than_slots_are_too_many),
        TEST(ids_of_calls_that_ended_are_ignored),
        TEST(one_journal_has_one_gateway),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
