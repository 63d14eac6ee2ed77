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
{
    Worker worker(1);
    worker.submit([] { return [] {}; });
    CHECK(check::becomes_readable(worker.fd()));
    worker.deliver();
    CHECK(!check::becomes_readable(worker.fd(), std::chrono::milliseconds(0)));
}

void no_more_jobs_wait_than_may()
{
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
    CHECK(worker.submit(nothing));
    CHECK(!worker.submit(nothing));
    CHECK_EQUAL(worker.pending(), 3u);
    gate.set_value();
}

void another_loop_gets_its_answers_in_its_own_mailbox()
{
    Worker worker(1);
    ap::Mailbox mailbox;
    bool answered = false;
    worker.submit([&]() -> Worker::Answer { return [&] { answered = true; }; }, mailbox);
    worker.wait();
    worker.deliver();
    CHECK(!answered);
    mailbox.deliver();
    CHECK(answered);
}

void a_job_without_an_answer_leaves_none()
{
    Worker worker(1);
    worker.submit([] { return Worker::Answer(); });
    worker.wait();
    CHECK_EQUAL(worker.pending(), 0u);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(answers_come_in_order_on_the_owners_thread),
        TEST(its_descriptor_tells_of_answers),
        TEST(no_more_jobs_wait_than_may),
        TEST(another_loop_gets_its_answers_in_its_own_mailbox),
        TEST(a_job_without_an_answer_leaves_none),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
