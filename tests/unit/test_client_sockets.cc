#include "check.hh"

#include "eventually.hh"
#include "sys/fd.hh"
#include "wrap/client_sockets.hh"

using namespace ap;

namespace {

void a_connection_that_was_left_is_not_told()
{
    const Pipe pipe = make_pipe();
    ClientSockets sockets(nullptr);
    sockets.opened(pipe.read.get());
    sockets.watch(pipe.read.get(), true, false);
    sockets.leave(pipe.read.get());
    write_all(pipe.write.get(), "x", "a pipe");
    CHECK(sockets.ready().empty());
    CHECK(!check::becomes_readable(sockets.fd(), std::chrono::milliseconds(0)));
    sockets.watch(pipe.read.get(), true, false);
    CHECK_EQUAL(sockets.ready().size(), 1u);
}

void a_number_that_is_used_again_is_watched_anew()
{
    Pipe first = make_pipe();
    ClientSockets sockets(nullptr);
    const int number = first.read.release();
    sockets.opened(number);
    sockets.watch(number, true, false);
    sockets.leave(number);
    sockets.close(number);
    const Pipe second = make_pipe();
    CHECK_EQUAL(second.read.get(), number);
    sockets.opened(number);
    sockets.watch(number, true, false);
    write_all(second.write.get(), "x", "a pipe");
    CHECK_EQUAL(sockets.ready().size(), 1u);
    sockets.leave(number);
}

void in_a_loop_the_loop_tells()
{
    const Pipe pipe = make_pipe();
    PollSet loop;
    {
        ClientSockets sockets(&loop);
        sockets.opened(pipe.read.get());
        sockets.watch(pipe.read.get(), true, false);
        write_all(pipe.write.get(), "x", "a pipe");
        CHECK(sockets.ready().empty());
        CHECK_EQUAL(loop.ready().size(), 1u);
    }
    CHECK(loop.ready().empty());
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_connection_that_was_left_is_not_told),
        TEST(a_number_that_is_used_again_is_watched_anew),
        TEST(in_a_loop_the_loop_tells),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
