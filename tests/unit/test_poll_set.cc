#include "check.hh"

#include "eventually.hh"
#include "sys/poll_set.hh"

#include <sys/resource.h>
#include <sys/timerfd.h>

using namespace ap;
using namespace std::chrono_literals;

namespace {

void only_what_is_watched_for_is_told()
{
    const Pipe pipe = make_pipe();
    PollSet set;
    set.watch(pipe.read.get(), true, false);
    set.watch(pipe.write.get(), false, false);
    CHECK(set.ready().empty());
    set.watch(pipe.write.get(), false, true);
    CHECK(check::becomes_readable(set.fd()));
    CHECK_EQUAL(set.ready().size(), 1u);
    CHECK(set.ready().at(0).writable);
    set.forget(pipe.write.get());
    write_all(pipe.write.get(), "x", "a pipe");
    CHECK_EQUAL(set.ready().size(), 1u);
    CHECK_EQUAL(set.ready().at(0).fd, pipe.read.get());
    CHECK(set.ready().at(0).readable);
}

void a_hang_up_is_told()
{
    Pipe pipe = make_pipe();
    PollSet set;
    set.watch(pipe.read.get(), true, false);
    pipe.write.reset();
    CHECK(set.ready().at(0).failed);
}

void what_is_forgotten_is_not_told()
{
    const Pipe pipe = make_pipe();
    PollSet set;
    set.watch(pipe.write.get(), false, true);
    set.forget(pipe.write.get());
    set.forget(pipe.write.get());
    CHECK(set.ready().empty());
}

void what_rests_is_told_again_once_it_is_watched_again()
{
    const Pipe pipe = make_pipe();
    PollSet set;
    set.watch(pipe.read.get(), true, false);
    set.rest(pipe.read.get());
    set.watch(pipe.read.get(), true, false);
    write_all(pipe.write.get(), "x", "a pipe");
    CHECK_EQUAL(set.ready().size(), 1u);
    set.rest(pipe.read.get());
    CHECK(set.ready().empty());
    CHECK(!check::becomes_readable(set.fd(), 0ms));
    set.watch(pipe.read.get(), true, false);
    CHECK_EQUAL(set.ready().size(), 1u);
}

void a_number_closed_without_a_word_is_watched_all_the_same()
{
    Pipe first = make_pipe();
    PollSet set;
    set.watch(first.read.get(), true, false);
    const int number = first.read.get();
    first.read.reset();
    const Pipe second = make_pipe();
    CHECK_EQUAL(second.read.get(), number);
    set.watch(number, true, false);
    write_all(second.write.get(), "x", "a pipe");
    CHECK_EQUAL(set.ready().size(), 1u);
}

// How often this thread has gone to sleep.
long sleeps()
{
    rusage usage{};
    CHECK_EQUAL(getrusage(RUSAGE_THREAD, &usage), 0);
    return usage.ru_nvcsw;
}

// A timer that makes itself readable in a millisecond.
void set_timer(const Fd &timer)
{
    const itimerspec soon{{0, 0}, {0, 1'000'000}};
    CHECK_EQUAL(timerfd_settime(timer.get(), 0, &soon, nullptr), 0);
}

void a_short_wait_is_slept_through_only_if_the_last_was_long()
{
    const Fd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
    PollSet set;
    set.watch(timer.get(), true, false);
    set.poll_first(60s);
    CHECK(set.wait(1ms).empty()); // short, when a minute is
    set_timer(timer);
    const long before = sleeps();
    CHECK_EQUAL(set.wait(std::nullopt).size(), 1u);
    CHECK_EQUAL(sleeps(), before);
    const Pipe silent = make_pipe();
    PollSet other;
    other.watch(silent.read.get(), true, false);
    other.poll_first(1us);
    for (int i = 0; i < 2; i++) { // nothing is known of waits, and then a long one
        const long awake = sleeps();
        CHECK(other.wait(1ms).empty());
        CHECK(sleeps() > awake);
    }
}

void who_looks_for_something_gives_up_in_time()
{
    const Pipe pipe = make_pipe();
    PollSet set;
    set.watch(pipe.read.get(), true, false);
    set.poll_first(60s);
    CHECK(set.wait(1ms).empty());
    CHECK(set.wait(1ms).empty());
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(only_what_is_watched_for_is_told),
        TEST(a_hang_up_is_told),
        TEST(what_is_forgotten_is_not_told),
        TEST(what_rests_is_told_again_once_it_is_watched_again),
        TEST(a_number_closed_without_a_word_is_watched_all_the_same),
        TEST(a_short_wait_is_slept_through_only_if_the_last_was_long),
        TEST(who_looks_for_something_gives_up_in_time),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
