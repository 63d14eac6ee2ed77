#include "check.hh"

#include "sys/fd.hh"
#include "sys/poll_loop.hh"

#include <csignal>
#include <sys/time.h>
#include <unistd.h>

using namespace ap;
using namespace std::chrono_literals;

namespace {

using Steady = std::chrono::steady_clock;

void fill(const Pipe &pipe)
{
    write_all(pipe.write.get(), "x", "a pipe");
}

void drain(const Pipe &pipe)
{
    char byte = 0;
    CHECK_EQUAL(read_some(pipe.read.get(), &byte, 1, "a pipe"), 1);
}

void only_the_ready_one_is_called()
{
    const Pipe quiet = make_pipe();
    const Pipe ready = make_pipe();
    int quiet_calls = 0;
    int ready_calls = 0;
    PollLoop loop;
    loop.add(quiet.read.get(), [&] { quiet_calls++; });
    loop.add(ready.read.get(), [&] {
        ready_calls++;
        drain(ready);
    });
    fill(ready);
    CHECK(loop.run_once(10s));
    CHECK(!loop.run_once(0ms));
    CHECK_EQUAL(quiet_calls, 0);
    CHECK_EQUAL(ready_calls, 1);
}

void an_ended_pipe_is_ready()
{
    Pipe pipe = make_pipe();
    int calls = 0;
    PollLoop loop;
    loop.add(pipe.read.get(), [&] { calls++; });
    pipe.write.reset();
    CHECK(loop.run_once(10s));
    CHECK_EQUAL(calls, 1);
}

void nothing_ready_is_false_after_the_timeout()
{
    const Pipe pipe = make_pipe();
    PollLoop loop;
    loop.add(pipe.read.get(), [] {});
    const auto start = Steady::now();
    CHECK(!loop.run_once(20ms));
    CHECK(Steady::now() - start >= 20ms);
}

void a_removed_one_is_not_called()
{
    const Pipe pipe = make_pipe();
    int calls = 0;
    PollLoop loop;
    loop.add(pipe.read.get(), [&] { calls++; });
    loop.remove(pipe.read.get());
    fill(pipe);
    CHECK(!loop.run_once(0ms));
    CHECK_EQUAL(calls, 0);
}

// The handler's captures must outlive its own removal.
void a_handler_may_remove_itself()
{
    const Pipe pipe = make_pipe();
    std::string heard;
    const std::string word(100, 'w');
    PollLoop loop;
    loop.add(pipe.read.get(), [&heard, &loop, &pipe, word] {
        loop.remove(pipe.read.get());
        heard = word;
    });
    fill(pipe);
    CHECK(loop.run_once(10s));
    CHECK_EQUAL(heard, word);
    CHECK(!loop.run_once(0ms));
}

void a_handler_may_remove_another_ready_one()
{
    const Pipe one = make_pipe();
    const Pipe other = make_pipe();
    int calls = 0;
    PollLoop loop;
    loop.add(one.read.get(), [&] {
        calls++;
        loop.remove(other.read.get());
    });
    loop.add(other.read.get(), [&] {
        calls++;
        loop.remove(one.read.get());
    });
    fill(one);
    fill(other);
    CHECK(loop.run_once(10s));
    CHECK_EQUAL(calls, 1);
}

void a_handler_may_add_another()
{
    const Pipe first = make_pipe();
    const Pipe second = make_pipe();
    bool heard = false;
    PollLoop loop;
    loop.add(first.read.get(), [&] {
        drain(first);
        loop.add(second.read.get(), [&] { heard = true; });
    });
    fill(first);
    fill(second);
    CHECK(loop.run_once(10s));
    CHECK(!heard);
    CHECK(loop.run_once(10s));
    CHECK(heard);
}

void a_caught_signal_ends_the_wait()
{
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    sigaction(SIGALRM, &action, nullptr);
    const Pipe pipe = make_pipe();
    PollLoop loop;
    loop.add(pipe.read.get(), [] {});
    const itimerval soon = {{0, 10'000}, {0, 10'000}}; // repeats, if it came too early
    const auto start = Steady::now();
    setitimer(ITIMER_REAL, &soon, nullptr);
    const bool ready = loop.run_once(10s);
    const itimerval off = {};
    setitimer(ITIMER_REAL, &off, nullptr);
    CHECK(!ready);
    CHECK(Steady::now() - start < 5s);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(only_the_ready_one_is_called),
        TEST(an_ended_pipe_is_ready),
        TEST(nothing_ready_is_false_after_the_timeout),
        TEST(a_removed_one_is_not_called),
        TEST(a_handler_may_remove_itself),
        TEST(a_handler_may_remove_another_ready_one),
        TEST(a_handler_may_add_another),
        TEST(a_caught_signal_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
