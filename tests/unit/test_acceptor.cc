#include "base/error.hh"
#include "check.hh"
#include "sys/acceptor.hh"
#include "sys/socket.hh"

#include <map>
#include <optional>
#include <sys/resource.h>
#include <vector>

using namespace ap;

namespace {

using namespace std::chrono_literals;

// A listening socket whose connections are accepted for `takers`.
struct Scene
{
    explicit Scene(size_t limit, size_t takers)
    {
        std::vector<Fd> listening;
        listening.push_back(listen_tcp("127.0.0.1", 0));
        port = local_port(listening.front().get());
        held.resize(takers);
        acceptor.emplace(std::move(listening), poll, limit, takers,
                         [this](size_t taker, size_t, Fd connection) {
                             held[taker].push_back(std::move(connection));
                         });
    }

    void connect(int count)
    {
        while (count-- > 0) {
            clients.push_back(connect_tcp("127.0.0.1", port));
        }
        turn();
    }

    // What a loop does that waits for nothing.
    void turn()
    {
        acceptor->run();
        for (const PollSet::Ready &ready : poll.ready()) {
            CHECK(acceptor->take_ready(ready.fd));
        }
    }

    // A taker closes one; whether somebody waits for the place.
    bool close_one(size_t taker)
    {
        held[taker].pop_back();
        return acceptor->closed(taker, ++closed[taker]);
    }

    PollSet poll;
    uint16_t port = 0;
    std::vector<std::vector<Fd>> held;
    std::map<size_t, uint64_t> closed;
    std::vector<Fd> clients;
    std::optional<Acceptor> acceptor;
};

void connections_are_shared_evenly()
{
    Scene scene(100, 3);
    scene.connect(9);
    for (const auto &taker : scene.held) {
        CHECK_EQUAL(taker.size(), 3u);
    }
}

void who_has_the_fewest_gets_the_next()
{
    Scene scene(100, 2);
    scene.connect(6);
    CHECK(!scene.close_one(1));
    CHECK(!scene.close_one(1));
    scene.connect(2);
    CHECK_EQUAL(scene.held[0].size(), 3u);
    CHECK_EQUAL(scene.held[1].size(), 3u);
}

void beyond_the_limit_one_waits_until_another_is_closed()
{
    Scene scene(3, 2);
    scene.connect(5);
    CHECK_EQUAL(scene.held[0].size() + scene.held[1].size(), 3u);
    scene.turn();
    CHECK_EQUAL(scene.held[0].size() + scene.held[1].size(), 3u);
    CHECK(scene.close_one(1)); // told to go on
    scene.turn();
    CHECK_EQUAL(scene.held[1].size(), 1u);
    CHECK_EQUAL(scene.held[0].size(), 2u);
}

void without_descriptors_it_pauses_and_goes_on()
{
    Scene scene(100, 1);
    scene.connect(1);
    scene.clients.push_back(connect_tcp("127.0.0.1", scene.port));
    rlimit was{};
    getrlimit(RLIMIT_NOFILE, &was);
    const rlimit none = {0, was.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    scene.turn();
    setrlimit(RLIMIT_NOFILE, &was);
    CHECK_EQUAL(scene.held[0].size(), 1u);
    const auto wait = scene.acceptor->timeout();
    CHECK(wait && *wait <= 100ms);
    CHECK(scene.poll.wait(wait).empty()); // nothing is ready meanwhile
    scene.turn();
    CHECK_EQUAL(scene.held[0].size(), 2u);
    CHECK(!scene.acceptor->timeout());
}

void closed_it_takes_nothing()
{
    Scene scene(100, 1);
    scene.acceptor->close();
    bool refused = false;
    try {
        connect_tcp("127.0.0.1", scene.port);
    } catch (const Error &) {
        refused = true;
    }
    CHECK(refused);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(connections_are_shared_evenly),
        TEST(who_has_the_fewest_gets_the_next),
        TEST(beyond_the_limit_one_waits_until_another_is_closed),
        TEST(without_descriptors_it_pauses_and_goes_on),
        TEST(closed_it_takes_nothing),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
