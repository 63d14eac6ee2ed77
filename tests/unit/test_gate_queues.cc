#include "check.hh"
#include "net/gate_queues.hh"

#include <algorithm>
#include <atomic>
#include <thread>

using namespace ap;

namespace {

using namespace std::chrono_literals;

GateProvider provider(const std::string &name, int64_t concurrency)
{
    GateProvider provider;
    provider.name = name;
    provider.family = "openai";
    provider.concurrency = concurrency;
    return provider;
}

void each_provider_has_its_own_limit()
{
    GateQueues queues;
    const GateProvider one = provider("one", 1);
    const GateProvider two = provider("two", 1);
    CHECK(queues.enter(one, 1, "r", 1));
    CHECK(queues.enter(two, 2, "r", 1));
    CHECK(!queues.enter(one, 3, "r", 1));
    CHECK_EQUAL(queues.waiting(), 1u);
    CHECK(queues.take_ready().empty());
    queues.leave(one, 1);
    CHECK(queues.due_in() == 0ms);
    CHECK(queues.take_ready() == std::vector<uint64_t>{3});
    CHECK_EQUAL(queues.waiting(), 0u);
    CHECK(!queues.due_in());
}

void who_gives_up_waits_no_longer()
{
    GateQueues queues;
    const GateProvider one = provider("one", 1);
    CHECK(queues.enter(one, 1, "r", 1));
    CHECK(!queues.enter(one, 2, "r", 1));
    queues.leave(one, 2);
    CHECK_EQUAL(queues.waiting(), 0u);
    queues.leave(one, 1);
    CHECK(queues.take_ready().empty());
}

void a_held_queue_says_when_it_goes_on()
{
    GateQueues queues;
    const GateProvider one = provider("one", 0);
    queues.hold(one, GateQueues::Steady::now() + 60s);
    CHECK(!queues.enter(one, 1, "r", 1));
    const auto due = queues.due_in();
    CHECK(due && *due > 50s && *due <= 60s);
}

void new_limits_let_those_go_who_wait()
{
    GateQueues queues;
    GateProvider one = provider("one", 1);
    CHECK(queues.enter(one, 1, "r", 1));
    CHECK(!queues.enter(one, 2, "r", 1));
    one.concurrency = 2;
    queues.set_limits({&one, 1});
    CHECK(queues.take_ready() == std::vector<uint64_t>{2});
}

// Threads enter, take whoever's turn has come, and leave: each call goes once, and never
// are more under way than may be.
void threads_share_a_queue()
{
    constexpr uint64_t calls_of_each = 2000;
    constexpr int64_t limit = 3;
    GateQueues queues;
    const GateProvider one = provider("one", limit);
    std::atomic<int64_t> under_way = 0;
    std::atomic<int64_t> most = 0;
    std::atomic<uint64_t> gone = 0;
    const auto go = [&](uint64_t call) {
        const int64_t now = ++under_way;
        int64_t seen = most;
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        gone++;
        under_way--;
        queues.leave(one, call);
    };
    const auto work = [&](uint64_t first) {
        for (uint64_t i = 0; i < calls_of_each; i++) {
            const uint64_t call = first + i * 2;
            if (queues.enter(one, call, "r", 1)) {
                go(call);
            }
            for (const uint64_t ready : queues.take_ready()) {
                go(ready);
            }
        }
    };
    std::thread other(work, 1);
    work(2);
    other.join();
    for (auto ready = queues.take_ready(); !ready.empty(); ready = queues.take_ready()) {
        std::for_each(ready.begin(), ready.end(), go);
    }
    CHECK_EQUAL(gone.load(), 2 * calls_of_each);
    CHECK(most <= limit);
    CHECK_EQUAL(queues.waiting(), 0u);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(each_provider_has_its_own_limit),
        TEST(who_gives_up_waits_no_longer),
        TEST(a_held_queue_says_when_it_goes_on),
        TEST(new_limits_let_those_go_who_wait),
        TEST(threads_share_a_queue),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
