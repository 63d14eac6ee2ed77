#include "check.hh"

#include "eventually.hh"
#include "sys/timers.hh"

using namespace ap;
using namespace std::chrono_literals;

namespace {

void timers_are_called_in_the_order_they_are_due()
{
    Timers timers;
    std::string called;
    timers.after(20ms, [&] { called += "b"; });
    timers.after(5ms, [&] { called += "a"; });
    timers.run();
    CHECK_EQUAL(called, "");
    CHECK(check::eventually([&] {
        timers.run();
        return called.size() == 2;
    }));
    CHECK_EQUAL(called, "ab");
    CHECK(!timers.timeout());
}

void a_cancelled_timer_is_not_called()
{
    Timers timers;
    int called = 0;
    const Timers::Id id = timers.after(0ms, [&] { called++; });
    timers.cancel(id);
    timers.cancel(id);
    timers.cancel(0);
    timers.run();
    CHECK_EQUAL(called, 0);
}

void a_call_may_add_and_cancel_timers()
{
    Timers timers;
    int called = 0;
    Timers::Id other = 0;
    timers.after(0ms, [&] {
        called++;
        timers.cancel(other);
        timers.after(1h, [&] { called += 100; });
    });
    other = timers.after(0ms, [&] { called += 10; });
    timers.run();
    CHECK_EQUAL(called, 1);
    CHECK(timers.timeout() && *timers.timeout() > 59min);
}

void the_timeout_is_that_of_the_first()
{
    Timers timers;
    CHECK(!timers.timeout());
    timers.after(1h, [] {});
    timers.after(0ms, [] {});
    CHECK(timers.timeout() == 0ms);
    CHECK(shorter(std::nullopt, 5ms) == 5ms);
    CHECK(shorter(5ms, std::nullopt) == 5ms);
    CHECK(shorter(5ms, 4ms) == 4ms);
    CHECK(!shorter(std::nullopt, std::nullopt));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(timers_are_called_in_the_order_they_are_due),
        TEST(a_cancelled_timer_is_not_called),
        TEST(a_call_may_add_and_cancel_timers),
        TEST(the_timeout_is_that_of_the_first),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
