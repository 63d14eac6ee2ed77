#include "check.hh"

#include "eventually.hh"
#include "sys/hangup_watch.hh"

#include <array>
#include <sys/socket.h>

using namespace ap;
using namespace std::chrono_literals;

namespace {

struct Pair
{
    Pair()
    {
        std::array<int, 2> ends{};
        CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
        near = Fd(ends[0]);
        far = Fd(ends[1]);
    }

    Fd near;
    Fd far;
};

void only_the_one_that_hung_up_is_told_and_once()
{
    Pair one;
    Pair other;
    HangupWatch watch;
    watch.add(one.near.get(), 7);
    watch.add(other.near.get(), 8);
    CHECK(watch.hung_up().empty());
    other.far.reset();
    CHECK(check::becomes_readable(watch.fd()));
    CHECK_EQUAL(watch.hung_up().size(), 1u);
    CHECK(watch.hung_up().empty());
    one.far.reset();
    CHECK_EQUAL(watch.hung_up().at(0), 7u);
}

void data_is_no_hang_up()
{
    const Pair pair;
    HangupWatch watch;
    watch.add(pair.near.get(), 1);
    write_all(pair.far.get(), "data", "a socket");
    CHECK(!check::becomes_readable(watch.fd(), 10ms));
    CHECK(watch.hung_up().empty());
}

void a_side_closed_for_sending_is_told_behind_data()
{
    const Pair pair;
    HangupWatch watch;
    watch.add(pair.near.get(), 3);
    write_all(pair.far.get(), "data", "a socket");
    shutdown(pair.far.get(), SHUT_WR);
    CHECK_EQUAL(watch.hung_up().size(), 1u);
}

void a_gathered_descriptor_makes_it_readable()
{
    const Pipe pipe = make_pipe();
    HangupWatch watch;
    watch.gather(pipe.read.get());
    CHECK(!check::becomes_readable(watch.fd(), 0ms));
    write_all(pipe.write.get(), "x", "a pipe");
    CHECK(check::becomes_readable(watch.fd()));
    CHECK(watch.hung_up().empty());
    CHECK(check::becomes_readable(watch.fd()));
}

void a_closed_socket_is_forgotten()
{
    Pair pair;
    HangupWatch watch;
    watch.add(pair.near.get(), 3);
    pair.near.reset();
    pair.far.reset();
    CHECK(watch.hung_up().empty());
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(only_the_one_that_hung_up_is_told_and_once),
        TEST(data_is_no_hang_up),
        TEST(a_side_closed_for_sending_is_told_behind_data),
        TEST(a_gathered_descriptor_makes_it_readable),
        TEST(a_closed_socket_is_forgotten),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
