#include "check.hh"

#include "eventually.hh"
#include "sys/poll_set.hh"

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

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(only_what_is_watched_for_is_told),
        TEST(a_hang_up_is_told),
        TEST(what_is_forgotten_is_not_told),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
