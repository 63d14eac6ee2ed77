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

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(only_what_is_watched_for_is_told),
        TEST(a_hang_up_is_told),
        TEST(what_is_forgotten_is_not_told),
        TEST(what_rests_is_told_again_once_it_is_watched_again),
        TEST(a_number_closed_without_a_word_is_watched_all_the_same),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
