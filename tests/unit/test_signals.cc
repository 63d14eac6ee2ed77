#include "check.hh"

#include "eventually.hh"
#include "sys/signals.hh"

#include <csignal>

using namespace ap;
using namespace std::chrono_literals;

namespace {

bool is_blocked(int signal)
{
    sigset_t mask{};
    sigprocmask(SIG_SETMASK, nullptr, &mask);
    return sigismember(&mask, signal) == 1;
}

void nothing_is_pending_at_first()
{
    SignalFd signals({SIGUSR1});
    CHECK(!check::becomes_readable(signals.fd(), 0ms));
    CHECK(!signals.next());
}

void a_signal_is_delivered_through_the_descriptor()
{
    SignalFd signals({SIGUSR1, SIGUSR2});
    raise(SIGUSR2);
    CHECK(check::becomes_readable(signals.fd(), 0ms));
    CHECK_EQUAL(signals.next().value_or(0), SIGUSR2);
    CHECK(!signals.next());
}

void every_kind_of_signal_is_delivered_once()
{
    SignalFd signals({SIGUSR1, SIGUSR2});
    raise(SIGUSR2);
    raise(SIGUSR1);
    raise(SIGUSR1);
    CHECK_EQUAL(signals.next().value_or(0) + signals.next().value_or(0),
                SIGUSR1 + SIGUSR2);
    CHECK(!signals.next());
}

void the_mask_is_as_before_at_the_end()
{
    CHECK(!is_blocked(SIGUSR1));
    {
        const SignalFd signals({SIGUSR1});
        CHECK(is_blocked(SIGUSR1));
        CHECK(!is_blocked(SIGUSR2));
    }
    CHECK(!is_blocked(SIGUSR1));
}

void a_mask_of_the_caller_is_kept()
{
    {
        const SignalFd outer({SIGUSR1});
        {
            const SignalFd inner({SIGUSR1, SIGUSR2});
        }
        CHECK(is_blocked(SIGUSR1));
        CHECK(!is_blocked(SIGUSR2));
    }
    CHECK(!is_blocked(SIGUSR1));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(nothing_is_pending_at_first),
        TEST(a_signal_is_delivered_through_the_descriptor),
        TEST(every_kind_of_signal_is_delivered_once),
        TEST(the_mask_is_as_before_at_the_end),
        TEST(a_mask_of_the_caller_is_kept),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
