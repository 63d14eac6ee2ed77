#include "base/error.hh"
#include "check.hh"
#include "net/bind_safety.hh"

#include <cstdlib>

using namespace ap;

namespace {

void forget_environment()
{
    unsetenv("AUTOPACK_BIND_ADDRESS");
    unsetenv("AUTOPACK_ALLOW_NON_LOCAL");
}

void check_refused(const std::optional<std::string> &host)
{
    CHECK_THROWS(choose_bind_address(host), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::Config);
        CHECK(std::string_view(error.what()).find('\n') == std::string_view::npos);
    });
}

void listens_at_the_loopback_address_by_default()
{
    forget_environment();
    const BindChoice choice = choose_bind_address(std::nullopt);
    CHECK_EQUAL(choice.address, "127.0.0.1");
    CHECK(!choice.needs_authentication);
    CHECK_EQUAL(choose_bind_address("localhost").address, "127.0.0.1");
    CHECK(!choose_bind_address("::1").needs_authentication);
    CHECK(!choose_bind_address("127.8.0.1").needs_authentication);
}

void refuses_any_other_address_that_was_not_allowed()
{
    forget_environment();
    for (const char *address : {"0.0.0.0", "::", "192.0.2.1", "2001:db8::1",
                                "::ffff:1.2.3.4", "example.org", "", "127.0.0.1.evil"}) {
        check_refused(address);
    }
    setenv("AUTOPACK_BIND_ADDRESS", "192.0.2.1", 1);
    check_refused(std::nullopt);
    setenv("AUTOPACK_ALLOW_NON_LOCAL", "yes", 1);
    check_refused(std::nullopt);
}

void an_allowed_address_needs_authentication()
{
    forget_environment();
    setenv("AUTOPACK_ALLOW_NON_LOCAL", "1", 1);
    setenv("AUTOPACK_BIND_ADDRESS", "192.0.2.1", 1);
    CHECK_EQUAL(choose_bind_address(std::nullopt).address, "192.0.2.1");
    CHECK(choose_bind_address(std::nullopt).needs_authentication);
    CHECK(!choose_bind_address("127.0.0.1").needs_authentication);
    check_refused("example.org");
}

void knows_its_own_names()
{
    const std::vector<std::string> names = {"desk.example"};
    for (const char *own : {"localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000",
                            "[::1]", "192.0.2.1", "desk.example:8000"}) {
        CHECK(is_own_host(own, names));
    }
    for (const char *other :
         {"evil.example", "localhost.evil.example", "", ":8000", "localhost:x",
          "desk.example.evil", "[::1", "127.0.0.1.nip.io"}) {
        CHECK(!is_own_host(other, names));
    }
    CHECK(!is_own_host(std::nullopt, names));
}

void knows_requests_of_other_sites()
{
    CHECK(!is_cross_site(std::nullopt, std::nullopt, "localhost:8000"));
    CHECK(!is_cross_site("same-origin", "http://localhost:8000", "localhost:8000"));
    CHECK(is_cross_site("cross-site", std::nullopt, "localhost:8000"));
    CHECK(is_cross_site("same-site", std::nullopt, "localhost:8000"));
    CHECK(is_cross_site(std::nullopt, "http://evil.example", "localhost:8000"));
    CHECK(is_cross_site(std::nullopt, "http://localhost:8001", "localhost:8000"));
    CHECK(is_cross_site(std::nullopt, "null", "localhost:8000"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(listens_at_the_loopback_address_by_default),
        TEST(refuses_any_other_address_that_was_not_allowed),
        TEST(an_allowed_address_needs_authentication),
        TEST(knows_its_own_names),
        TEST(knows_requests_of_other_sites),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
