#include "check.hh"

#include "net/fair_queue.hh"

using namespace ap;
using namespace std::chrono_literals;

namespace {

const FairQueue::TimePoint start = FairQueue::TimePoint() + 1h;

std::string order(const std::vector<FairQueue::CallId> &calls)
{
    std::string text;
    for (const FairQueue::CallId call : calls) {
        text += std::to_string(call) + " ";
    }
    return text;
}

void without_limits_everyone_goes_at_once()
{
    FairQueue queue({}, start);
    for (FairQueue::CallId call = 1; call <= 1000; call++) {
        CHECK(queue.enter(call, "r", 1'000'000'000, start));
    }
    CHECK(!queue.next(start));
}

void no_more_go_at_once_than_may()
{
    FairQueue queue({.concurrency = 2}, start);
    CHECK(queue.enter(1, "r", 0, start));
    CHECK(queue.enter(2, "r", 0, start));
    CHECK(!queue.enter(3, "r", 0, start));
    CHECK(!queue.next(start));
    CHECK(queue.take_ready(start).empty());
    queue.leave(1);
    CHECK_EQUAL(order(queue.take_ready(start)), "3 ");
    CHECK_EQUAL(queue.waiting(), 0u);
    CHECK_EQUAL(queue.under_way(), 2u);
}

void runs_take_turns_whatever_they_have_waiting()
{
    FairQueue queue({.concurrency = 1}, start);
    CHECK(queue.enter(1, "greedy", 0, start));
    for (FairQueue::CallId call = 2; call <= 4; call++) {
        queue.enter(call, "greedy", 0, start);
    }
    queue.enter(5, "modest", 0, start);
    std::string went;
    for (FairQueue::CallId last = 1; queue.waiting() > 0;) {
        queue.leave(last);
        last = queue.take_ready(start).at(0);
        went += std::to_string(last) + " ";
    }
    CHECK_EQUAL(went, "2 5 3 4 ");
}

void nobody_overtakes_those_who_wait()
{
    FairQueue queue({.concurrency = 1}, start);
    queue.enter(1, "r", 0, start);
    queue.enter(2, "r", 0, start);
    queue.leave(1);
    CHECK(!queue.enter(3, "other", 0, start));
    CHECK_EQUAL(order(queue.take_ready(start)), "2 ");
}

void requests_come_at_their_rate()
{
    FairQueue queue({.requests_per_minute = 60}, start);
    for (FairQueue::CallId call = 1; call <= 60; call++) {
        CHECK(queue.enter(call, "r", 0, start));
    }
    CHECK(!queue.enter(61, "r", 0, start));
    CHECK(queue.next(start) == start + 1s);
    CHECK(queue.take_ready(start + 999ms).empty());
    CHECK_EQUAL(order(queue.take_ready(start + 1s)), "61 ");
}

void tokens_come_at_their_rate()
{
    FairQueue queue({.tokens_per_minute = 6000}, start);
    CHECK(queue.enter(1, "r", 6000, start));
    CHECK(!queue.enter(2, "r", 100, start));
    CHECK(queue.next(start) == start + 1s);
    CHECK_EQUAL(order(queue.take_ready(start + 1s)), "2 ");
}

void a_call_larger_than_a_minute_goes_when_the_bucket_is_full()
{
    FairQueue queue({.tokens_per_minute = 6000}, start);
    CHECK(queue.enter(1, "r", 1, start));
    CHECK(!queue.enter(2, "r", 100'000, start));
    CHECK(queue.take_ready(start).empty());
    CHECK_EQUAL(order(queue.take_ready(start + 1s)), "2 ");
    CHECK(!queue.enter(3, "r", 1, start + 2s));
    CHECK(*queue.next(start + 2s) > start + 10min);
}

void a_provider_that_asks_for_time_is_given_it()
{
    FairQueue queue({}, start);
    queue.hold(start + 5s);
    CHECK(!queue.enter(1, "r", 0, start));
    CHECK(queue.next(start) == start + 5s);
    CHECK(queue.take_ready(start + 4s).empty());
    CHECK_EQUAL(order(queue.take_ready(start + 5s)), "1 ");
}

void one_who_leaves_the_queue_is_forgotten()
{
    FairQueue queue({.concurrency = 1}, start);
    queue.enter(1, "r", 0, start);
    queue.enter(2, "a", 0, start);
    queue.enter(3, "b", 0, start);
    queue.leave(2);
    queue.leave(2);
    queue.leave(99);
    CHECK_EQUAL(queue.waiting(), 1u);
    queue.leave(1);
    CHECK_EQUAL(order(queue.take_ready(start)), "3 ");
}

void new_limits_hold_at_once()
{
    FairQueue queue({.concurrency = 1}, start);
    queue.enter(1, "r", 0, start);
    queue.enter(2, "r", 0, start);
    queue.set_limits({.concurrency = 2});
    CHECK_EQUAL(order(queue.take_ready(start)), "2 ");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(without_limits_everyone_goes_at_once),
        TEST(no_more_go_at_once_than_may),
        TEST(runs_take_turns_whatever_they_have_waiting),
        TEST(nobody_overtakes_those_who_wait),
        TEST(requests_come_at_their_rate),
        TEST(tokens_come_at_their_rate),
        TEST(a_call_larger_than_a_minute_goes_when_the_bucket_is_full),
        TEST(a_provider_that_asks_for_time_is_given_it),
        TEST(one_who_leaves_the_queue_is_forgotten),
        TEST(new_limits_hold_at_once),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
