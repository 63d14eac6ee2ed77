#include "check.hh"
#include "support.hh"

#include "sys/arrival_watch.hh"
#include "sys/fd.hh"

#include <array>
#include <sys/socket.h>

using namespace ap;
using namespace std::chrono_literals;

namespace {

class Pair
{
public:
    Pair()
    {
        std::array<int, 2> ends{};
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
        server_.reset(ends[0]);
        client_.reset(ends[1]);
    }

    int server() const { return server_.get(); }
    void say(char byte) const { CHECK(send(client_.get(), &byte, 1, 0) == 1); }
    char read() const
    {
        char byte = 0;
        CHECK(recv(server_.get(), &byte, 1, 0) == 1);
        return byte;
    }
    bool is_cut() const
    {
        char byte = 0;
        return recv(client_.get(), &byte, 1, MSG_DONTWAIT) == 0;
    }

private:
    Fd server_;
    Fd client_;
};

const ArrivalWatch::Instant start = std::chrono::steady_clock::now();

void who_takes_too_long_to_send_is_cut_however_busy()
{
    const Pair pair;
    ArrivalWatch watch(10s);
    watch.opened(1, pair.server(), start);
    for (int second = 0; second < 10; second++) {
        pair.say('x');
        watch.cut(start + std::chrono::seconds(second));
        CHECK(!pair.is_cut());
    }
    watch.cut(start + 10s);
    CHECK(pair.is_cut());
}

void who_waits_for_an_answer_is_not_and_the_next_request_has_its_own_time()
{
    const Pair pair;
    ArrivalWatch watch(10s);
    watch.opened(1, pair.server(), start);
    watch.arrived(1);
    watch.cut(start + 1h);
    watch.expect(1, start + 1h);
    watch.cut(start + 1h + 9s);
    CHECK(!pair.is_cut());
    watch.cut(start + 1h + 10s);
    CHECK(pair.is_cut());
}

void a_half_closed_connection_is_cut_when_it_waits_at_a_second_look()
{
    const Pair pair;
    ArrivalWatch watch(0s);
    watch.opened(1, pair.server(), start);
    watch.half_closed(1);
    CHECK(watch.cut(start));
    CHECK(!pair.is_cut());
    CHECK(!watch.cut(start));
    CHECK(pair.is_cut());
}

void what_a_half_closed_connection_has_sent_is_read_and_answered_first()
{
    const Pair pair;
    ArrivalWatch watch(0s);
    watch.opened(1, pair.server(), start);
    pair.say('x');
    watch.half_closed(1);
    watch.cut(start);
    watch.cut(start);
    CHECK(!pair.is_cut());
    pair.read();
    watch.arrived(1);
    watch.cut(start);
    watch.cut(start);
    CHECK(!pair.is_cut());
    watch.expect(1, start);
    watch.cut(start);
    watch.cut(start);
    CHECK(pair.is_cut());
}

void without_connections_nothing_is_due()
{
    const Pair pair;
    ArrivalWatch watch(10s);
    CHECK(!watch.due_in(start).has_value());
    watch.opened(1, pair.server(), start);
    CHECK(watch.due_in(start) <= 1s);
    watch.closed(1);
    CHECK(!watch.due_in(start).has_value());
    CHECK(!ArrivalWatch(0s).due_in(start).has_value());
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(who_takes_too_long_to_send_is_cut_however_busy),
        TEST(who_waits_for_an_answer_is_not_and_the_next_request_has_its_own_time),
        TEST(a_half_closed_connection_is_cut_when_it_waits_at_a_second_look),
        TEST(what_a_half_closed_connection_has_sent_is_read_and_answered_first),
        TEST(without_connections_nothing_is_due),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
