#include "check.hh"
#include "domain/login_limiter.hh"

#include <arpa/inet.h>

using ap::LoginLimiter;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::milliseconds start = 1000s;

std::string address_of(uint32_t number)
{
    in_addr address = {htonl(0x0a000000 + number)};
    std::array<char, INET_ADDRSTRLEN> text{};
    return inet_ntop(AF_INET, &address, text.data(), text.size());
}

void use_up(LoginLimiter &limiter, std::string_view address,
            std::chrono::milliseconds now = start)
{
    for (int i = 0; i < LoginLimiter::tries; i++) {
        CHECK(limiter.admit(address, now).allowed);
    }
    CHECK(!limiter.admit(address, now).allowed);
}

void the_sixth_try_in_a_minute_is_refused()
{
    LoginLimiter limiter;
    use_up(limiter, "192.0.2.1");
    CHECK(limiter.admit("192.0.2.2", start).allowed);
}

void a_refusal_tells_when_to_come_again()
{
    LoginLimiter limiter;
    use_up(limiter, "192.0.2.1");
    CHECK_EQUAL(limiter.admit("192.0.2.1", start + 20s).retry_after.count(), 40000);
    CHECK(!limiter.admit("192.0.2.1", start + 59999ms).allowed);
    CHECK(limiter.admit("192.0.2.1", start + 60s).allowed);
}

void tries_further_apart_are_all_allowed()
{
    LoginLimiter limiter;
    for (int i = 0; i < 20; i++) {
        CHECK(limiter.admit("192.0.2.1", start + i * 12001ms).allowed);
    }
}

void the_minute_slides()
{
    LoginLimiter limiter;
    CHECK(limiter.admit("192.0.2.1", start).allowed);
    for (int i = 0; i < 4; i++) {
        CHECK(limiter.admit("192.0.2.1", start + 59s).allowed);
    }
    CHECK(limiter.admit("192.0.2.1", start + 61s).allowed);
    CHECK(!limiter.admit("192.0.2.1", start + 62s).allowed);
}

void an_ipv6_address_counts_with_its_network()
{
    LoginLimiter limiter;
    use_up(limiter, "2001:db8:1:2::1");
    CHECK(!limiter.admit("2001:db8:1:2:ffff:ffff:ffff:ffff", start).allowed);
    CHECK(limiter.admit("2001:db8:1:3::1", start).allowed);
}

void an_ipv4_address_is_the_same_inside_ipv6()
{
    LoginLimiter limiter;
    use_up(limiter, "192.0.2.1");
    CHECK(!limiter.admit("::ffff:192.0.2.1", start).allowed);
    CHECK(limiter.admit("::ffff:192.0.2.2", start).allowed);
}

void a_unix_socket_counts_as_one_address()
{
    LoginLimiter limiter;
    use_up(limiter, "unix");
}

void no_more_addresses_are_tracked_than_there_are_places()
{
    LoginLimiter limiter(100);
    for (uint32_t i = 0; i < 10'000; i++) {
        CHECK(limiter.admit(address_of(i), start).allowed);
    }
    CHECK_EQUAL(limiter.tracked(start), 100u);
}

void a_flood_of_addresses_does_not_clear_a_blocked_one()
{
    LoginLimiter limiter(100);
    use_up(limiter, "192.0.2.1");
    for (uint32_t i = 0; i < 10'000; i++) {
        limiter.admit(address_of(i), start + 1s);
    }
    CHECK(!limiter.admit("192.0.2.1", start + 2s).allowed);
    CHECK_EQUAL(limiter.blocked(start + 2s), 1u);
}

void the_address_used_longest_ago_gives_its_place()
{
    LoginLimiter limiter(2);
    for (int i = 0; i < 4; i++) {
        limiter.admit("192.0.2.1", start);
    }
    limiter.admit("192.0.2.2", start);
    limiter.admit("192.0.2.1", start); // its fifth try, and now the latest
    limiter.admit("192.0.2.3", start); // takes the place of .2
    CHECK(!limiter.admit("192.0.2.1", start).allowed);
}

void with_every_place_blocked_the_others_share_one_count()
{
    LoginLimiter limiter(3);
    for (uint32_t i = 0; i < 3; i++) {
        use_up(limiter, address_of(i));
    }
    int allowed = 0;
    for (uint32_t i = 10; i < 1000; i++) {
        allowed += limiter.admit(address_of(i), start + 1s).allowed ? 1 : 0;
    }
    CHECK_EQUAL(allowed, LoginLimiter::tries);
    CHECK_EQUAL(limiter.tracked(start + 1s), 3u);
    CHECK(limiter.admit("192.0.2.1", start + 62s).allowed);
}

void addresses_are_forgotten_after_a_minute()
{
    LoginLimiter limiter;
    limiter.admit("192.0.2.1", start);
    use_up(limiter, "192.0.2.2", start + 30s);
    CHECK_EQUAL(limiter.tracked(start + 59s), 2u);
    CHECK_EQUAL(limiter.tracked(start + 61s), 1u);
    CHECK_EQUAL(limiter.tracked(start + 91s), 0u);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(the_sixth_try_in_a_minute_is_refused),
        TEST(a_refusal_tells_when_to_come_again),
        TEST(tries_further_apart_are_all_allowed),
        TEST(the_minute_slides),
        TEST(an_ipv6_address_counts_with_its_network),
        TEST(an_ipv4_address_is_the_same_inside_ipv6),
        TEST(a_unix_socket_counts_as_one_address),
        TEST(no_more_addresses_are_tracked_than_there_are_places),
        TEST(a_flood_of_addresses_does_not_clear_a_blocked_one),
        TEST(the_address_used_longest_ago_gives_its_place),
        TEST(with_every_place_blocked_the_others_share_one_count),
        TEST(addresses_are_forgotten_after_a_minute),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
