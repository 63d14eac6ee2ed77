#include "check.hh"
#include "eventually.hh"
#include "net/gate_memory.hh"

using namespace ap;

namespace {

Breaker breaker(BreakerState state)
{
    Breaker breaker;
    breaker.name = "gate.p";
    breaker.state = state;
    return breaker;
}

void an_owner_is_forgotten_after_a_moment_or_when_it_is_nobody()
{
    GateMemory memory;
    CHECK(!memory.owner("key"));
    CapabilityOwner owner;
    owner.run_id = "r";
    memory.see_owner("key", owner);
    CHECK_EQUAL(memory.owner("key")->run_id, "r");
    memory.see_owner("key", std::nullopt);
    CHECK(!memory.owner("key"));
    memory.see_owner("key", owner);
    CHECK(check::eventually([&] { return !memory.owner("key"); }));
}

void a_closed_breaker_lets_calls_go_and_one_of_them_look_again()
{
    GateMemory memory;
    CHECK(!memory.look("gate.p", 0).permit);
    memory.see_breaker("gate.p", breaker(BreakerState::Closed));
    CHECK(memory.look("gate.p", 0).permit->allowed);
    CHECK(!memory.look("gate.p", 0).look_again);
    CHECK(check::eventually([&] { return memory.look("gate.p", 0).look_again; }));
    CHECK(!memory.look("gate.p", 0).look_again);
    CHECK(memory.look("gate.p", 0).permit->allowed);
    memory.looked_in_vain("gate.p");
    CHECK(memory.look("gate.p", 0).look_again);
}

void an_open_breaker_refuses_until_its_time()
{
    GateMemory memory;
    Breaker open = breaker(BreakerState::Open);
    open.retry_at = 1000;
    memory.see_breaker("gate.p", open);
    const GateMemory::Look look = memory.look("gate.p", 999);
    CHECK(look.permit && !look.permit->allowed && look.permit->retry_at == 1000);
    CHECK(!memory.look("gate.p", 1000).permit); // the database decides who may probe
}

void one_that_has_failed_or_counts_all_is_told_of_successes()
{
    GateMemory memory;
    CHECK(!memory.is_quiet("gate.p"));
    Breaker closed = breaker(BreakerState::Closed);
    memory.see_breaker("gate.p", closed);
    CHECK(memory.is_quiet("gate.p"));
    closed.failure_count = 1;
    memory.see_breaker("gate.p", closed);
    CHECK(!memory.is_quiet("gate.p"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(an_owner_is_forgotten_after_a_moment_or_when_it_is_nobody),
        TEST(a_closed_breaker_lets_calls_go_and_one_of_them_look_again),
        TEST(an_open_breaker_refuses_until_its_time),
        TEST(one_that_has_failed_or_counts_all_is_told_of_successes),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
