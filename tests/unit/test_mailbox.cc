#include "check.hh"
#include "eventually.hh"
#include "sys/mailbox.hh"

#include <stdexcept>
#include <thread>
#include <vector>

using ap::Mailbox;

namespace {

using namespace std::chrono_literals;

void calls_that_another_thread_left_are_made_in_order()
{
    Mailbox mailbox;
    std::vector<int> made;
    std::thread other([&] {
        for (int i = 0; i < 3; i++) {
            mailbox.post([&made, i] { made.push_back(i); });
        }
    });
    CHECK(check::becomes_readable(mailbox.fd()));
    other.join();
    CHECK_EQUAL(mailbox.waiting(), 3u);
    mailbox.deliver();
    CHECK(made == std::vector<int>({0, 1, 2}));
    CHECK(!check::becomes_readable(mailbox.fd(), 0ms));
}

void what_a_call_leaves_is_for_the_next_time()
{
    Mailbox mailbox;
    int made = 0;
    mailbox.post([&] { mailbox.post([&] { made++; }); });
    mailbox.deliver();
    CHECK_EQUAL(made, 0);
    CHECK(check::becomes_readable(mailbox.fd(), 0ms));
    mailbox.deliver();
    CHECK_EQUAL(made, 1);
}

void those_after_one_that_throws_are_kept()
{
    Mailbox mailbox;
    bool made = false;
    mailbox.post([] { throw std::runtime_error("that one"); });
    mailbox.post([&] { made = true; });
    std::string thrown;
    try {
        mailbox.deliver();
    } catch (const std::runtime_error &error) {
        thrown = error.what();
    }
    CHECK_EQUAL(thrown, "that one");
    CHECK(check::becomes_readable(mailbox.fd(), 0ms));
    mailbox.deliver();
    CHECK(made);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(calls_that_another_thread_left_are_made_in_order),
        TEST(what_a_call_leaves_is_for_the_next_time),
        TEST(those_after_one_that_throws_are_kept),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
