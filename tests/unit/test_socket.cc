#include "check.hh"
#include "support.hh"

#include "sys/socket.hh"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace ap;

namespace {

void a_tcp_socket_takes_connections()
{
    const Fd listening = listen_tcp("127.0.0.1", 0);
    const uint16_t port = local_port(listening.get());
    CHECK(port != 0);
    const Fd client = connect_tcp("127.0.0.1", port);
    const Fd taken(accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    CHECK(taken);
    CHECK_EQUAL(peer_address(taken.get()), "127.0.0.1");
}

void ipv6_is_spoken_where_there_is_any()
{
    if (!path_exists("/proc/net/if_inet6")) {
        return;
    }
    const Fd listening = listen_tcp("::1", 0);
    const Fd client = connect_tcp("::1", local_port(listening.get()));
    CHECK_EQUAL(peer_address(client.get()), "::1");
}

void a_taken_port_is_an_error()
{
    const Fd one = listen_tcp("127.0.0.1", 0);
    CHECK_THROWS(
        listen_tcp("127.0.0.1", local_port(one.get())), SystemError,
        [](const SystemError &error) {
            CHECK_EQUAL(error.code(), EADDRINUSE);
            CHECK(std::string(error.what()).starts_with("cannot listen on 127.0.0.1:"));
        });
}

void only_numeric_addresses_are_taken()
{
    CHECK_THROWS(listen_tcp("localhost", 0), Error, [](const Error &error) {
        CHECK(error.status() == ExitStatus::Config);
        CHECK_EQUAL(std::string(error.what()),
                    "'localhost': expected a numeric IPv4 or IPv6 address");
    });
}

void a_unix_socket_is_private_and_its_leftover_replaced()
{
    const check::TemporaryDirectory directory;
    const std::string path = directory.file("s");
    {
        const Fd dead = listen_unix(path);
        struct stat status = {};
        CHECK_EQUAL(stat(path.c_str(), &status), 0);
        CHECK_EQUAL(status.st_mode & 0777u, 0600u);
        CHECK_THROWS(listen_unix(path), Error, [](const Error &error) {
            CHECK(error.status() == ExitStatus::Unavailable);
        });
    }
    const Fd alive = listen_unix(path);
    const Fd client = connect_unix(path);
    CHECK_EQUAL(local_port(alive.get()), 0);
    CHECK_EQUAL(peer_address(client.get()), "unix");
}

void a_file_in_the_way_is_left_alone()
{
    const check::TemporaryDirectory directory;
    const std::string path = directory.file("s");
    replace_file(path, "precious");
    CHECK_THROWS(listen_unix(path), Error, [](const Error &error) {
        CHECK(error.status() == ExitStatus::CannotCreate);
    });
    CHECK_EQUAL(read_file(path, 100), "precious");
}

void a_path_too_long_for_a_socket_is_refused()
{
    CHECK_THROWS(listen_unix("/" + std::string(200, 'x')), Error,
                 [](const Error &error) { CHECK(error.status() == ExitStatus::Config); });
}

void loopback_addresses_are_known()
{
    CHECK(is_loopback("127.0.0.1"));
    CHECK(is_loopback("127.9.9.9"));
    CHECK(is_loopback("::1"));
    CHECK(!is_loopback("127.evil.example"));
    CHECK(!is_loopback("128.0.0.1"));
    CHECK(!is_loopback("0.0.0.0"));
    CHECK(!is_loopback("::"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_tcp_socket_takes_connections),
        TEST(ipv6_is_spoken_where_there_is_any),
        TEST(a_taken_port_is_an_error),
        TEST(only_numeric_addresses_are_taken),
        TEST(a_unix_socket_is_private_and_its_leftover_replaced),
        TEST(a_file_in_the_way_is_left_alone),
        TEST(a_path_too_long_for_a_socket_is_refused),
        TEST(loopback_addresses_are_known),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
