#include "check.hh"

#include "sys/poll_window.hh"

using namespace ap;
using namespace std::chrono_literals;

namespace {

void nothing_is_looked_for_before_a_wait_was_short()
{
    PollWindow window(100us);
    CHECK(window.length() == 0us);
    window.waited(2s);
    CHECK(window.length() == 0us);
}

void short_waits_are_looked_for_longer_and_longer()
{
    PollWindow window(100us);
    window.waited(90us);
    CHECK(window.length() == 25us);
    window.waited(90us);
    window.waited(90us);
    CHECK(window.length() == 100us);
    window.waited(100us);
    CHECK(window.length() == 100us);
}

void what_was_found_by_looking_leaves_the_window_as_it_is()
{
    PollWindow window(100us);
    window.waited(90us);
    window.waited(20us);
    window.waited(25us);
    CHECK(window.length() == 25us);
}

void a_long_wait_ends_the_looking()
{
    PollWindow window(100us);
    for (int i = 0; i < 10; i++) {
        window.waited(90us);
    }
    window.waited(101us);
    CHECK(window.length() == 0us);
    window.waited(90us);
    CHECK(window.length() == 25us);
}

void without_a_longest_time_nothing_is_looked_for()
{
    PollWindow window;
    window.waited(0us);
    window.waited(1us);
    CHECK(window.length() == 0us);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(nothing_is_looked_for_before_a_wait_was_short),
        TEST(short_waits_are_looked_for_longer_and_longer),
        TEST(what_was_found_by_looking_leaves_the_window_as_it_is),
        TEST(a_long_wait_ends_the_looking),
        TEST(without_a_longest_time_nothing_is_looked_for),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
