#include "check.hh"
#include "support.hh"

#include "sys/socket.hh"
#include "wrap/systemd.hh"

#include <array>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace ap;
using namespace std::chrono_literals;

namespace {

// Runs `body` in a child of its own, since the sockets are passed as descriptor 3 and on.
template <typename Body>
int in_child(const Body &body)
{
    const pid_t child = fork();
    if (child == 0) {
        _exit(body());
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void without_a_manager_nothing_is_passed_or_told()
{
    unsetenv("LISTEN_FDS");
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    CHECK(take_passed_sockets().empty());
    CHECK(!watchdog_interval());
    notify_manager("READY=1");
}

void passed_sockets_come_with_their_names_and_only_once()
{
    const int result = in_child([] {
        // As a manager does between fork and exec.
        const Fd tcp = listen_tcp("127.0.0.1", 0);
        const uint16_t port = local_port(tcp.get());
        const int kept = fcntl(tcp.get(), F_DUPFD_CLOEXEC, 100);
        dup2(kept, 3);
        dup2(kept, 4);
        setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
        setenv("LISTEN_FDS", "2", 1);
        setenv("LISTEN_FDNAMES", "tcp:other", 1);
        const auto sockets = take_passed_sockets();
        const bool right = sockets.size() == 2 && sockets[0].name == "tcp" &&
                           sockets[1].name == "other" && sockets[0].fd.get() == 3 &&
                           local_port(sockets[1].fd.get()) == port;
        const bool gone = std::getenv("LISTEN_FDS") == nullptr;
        return right && gone && take_passed_sockets().empty() ? 0 : 1;
    });
    CHECK_EQUAL(result, 0);
}

void the_manager_is_told_through_its_socket()
{
    const check::TemporaryDirectory directory;
    const std::string path = directory.file("notify");
    const Fd manager(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(static_cast<char *>(address.sun_path), sizeof address.sun_path - 1);
    CHECK_EQUAL(
        bind(manager.get(), reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
    const auto told = [&] {
        std::array<char, 200> text{};
        const ssize_t size = recv(manager.get(), text.data(), text.size(), 0);
        return std::string(text.data(), static_cast<size_t>(size));
    };
    notify_manager("READY=1\nSTATUS=at work");
    CHECK_EQUAL(told(), "READY=1\nSTATUS=at work");
    notify_reloading();
    CHECK(told().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    unsetenv("NOTIFY_SOCKET");
}

void the_watchdog_is_to_be_fed_twice_as_often_as_asked()
{
    setenv("WATCHDOG_USEC", "3000000", 1);
    unsetenv("WATCHDOG_PID");
    CHECK(watchdog_interval() == 1500ms);
    unsetenv("WATCHDOG_USEC");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(without_a_manager_nothing_is_passed_or_told),
        TEST(passed_sockets_come_with_their_names_and_only_once),
        TEST(the_manager_is_told_through_its_socket),
        TEST(the_watchdog_is_to_be_fed_twice_as_often_as_asked),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
