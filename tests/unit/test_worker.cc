#include "check.hh"

#include "eventually.hh"
#include "sys/worker.hh"

#include <atomic>
#include <future>
#include <vector>

using ap::Worker;
namespace {
void answers_come_in_order_on_the_owners_thread()
{
    Worker worker(10);
    const auto owner = std::this_thread::get_id();
    std::vector<int> order;
    for (int i = 0; i < 3; i++) {
        CHECK(worker.submit([&, i]() -> Worker::Answer {
            const bool elsewhere = std::this_thread::get_id() != owner;
            return [&order, i, elsewhere, owner] {
                const bool here = std::this_thread::get_id() == owner;
                order.push_back(elsewhere && here ? i : -1);
            };
        }));
    }
    CHECK(check::eventually([&] {
        worker.deliver();
        return order.size() == 3;
    }));
    CHECK(order == std::vector<int>({0, 1, 2}));
    CHECK_EQUAL(worker.pending(), 0u);
}
void its_descriptor_tells_of_answers()
    Worker worker(1);
    worker.submit([] { return [] {}; });
    CHECK(check::becomes_readable(worker.fd()));
    worker.deliver();
    CHECK(!check::becomes_readable(worker.fd(), std::chrono::milliseconds(0)));
void no_more_jobs_wait_than_may()
    Worker worker(2);
    std::promise<void> gate;
    const std::shared_future<void> opened(gate.get_future());
    std::atomic<bool> started = false;
    worker.submit([&, opened]() -> Worker::Answer {
        started = true;
        opened.wait();
        return [] {};
    });
    CHECK(check::eventually([&] { return started.load(); }));
    const auto nothing = [] { return [] {}; };
    CHECK(worker.submit(nothing));
    CHECK(!worker.submit(nothing));
    CHECK_EQUAL(worker.pending(), 3u);
    gate.set_value();
#include <csignal>
#include <string>
using namespace ap;
void jobs_run_elsewhere_in_order_and_their_calls_here()
    const std::thread::id here = std::this_thread::get_id();
    std::string order; // written by one thread after the other
    int calls = 0;
    Worker worker;
    for (const char name : {'a', 'b', 'c'}) {
        worker.post(
            [&, name] {
                if (std::this_thread::get_id() != here) {
                    order += name;
                }
            },
            [&] { calls += std::this_thread::get_id() == here ? 1 : 100; });
    CHECK_EQUAL(calls, 0);
        worker.run();
        return calls == 3;
    CHECK_EQUAL(order, "abc");
void the_descriptor_tells_that_a_job_is_done()
    bool called = false;
    worker.post([] {}, [&] { called = true; });
    worker.run();
    CHECK(called);
void jobs_that_are_left_are_done_at_the_end()
    std::atomic<int> done = 0;
    int called = 0;
    {
        Worker worker;
        for (int i = 0; i < 100; i++) {
            worker.post([&] { done++; }, [&] { called++; });
        }
    CHECK_EQUAL(done.load(), 100);
    CHECK_EQUAL(called, 0);
void signals_are_left_to_the_loop()
    bool blocked = false;
    worker.post([&] {
        sigset_t mask{};
        pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGCHLD) == 1;
    CHECK(check::eventually([&] { return worker.pending() == 0; }));
    CHECK(blocked);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(answers_come_in_order_on_the_owners_thread),
        TEST(its_descriptor_tells_of_answers),
        TEST(no_more_jobs_wait_than_may),
        TEST(jobs_run_elsewhere_in_order_and_their_calls_here),
        TEST(the_descriptor_tells_that_a_job_is_done),
        TEST(jobs_that_are_left_are_done_at_the_end),
        TEST(signals_are_left_to_the_loop),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
