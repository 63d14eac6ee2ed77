#include "check.hh"
#include "eventually.hh"
#include "support.hh"

#include "base/error.hh"
#include "sys/child.hh"
#include "sys/process.hh"

#include <csignal>
#include <sys/wait.h>

using namespace ap;
using namespace std::chrono_literals;

namespace {

Child shell(const std::string &script, Fd input = Fd())
{
    return Child({.argv = {"sh", "-c", script}, .standard_input = std::move(input)});
}

void tells_the_status()
{
    CHECK(shell("exit 7").wait(10s) == 7);
    CHECK(shell("kill -TERM $$").wait(10s) == 128 + SIGTERM);
}

void feeds_more_than_a_pipe_holds()
{
    const std::string text(1 << 20, 'x');
    Child child = shell("test $(wc -c) -eq 1048576", memory_file(text));
    CHECK(child.wait(10s) == 0);
}

void has_no_input_unless_it_is_given()
{
    CHECK(shell("test -z \"$(cat)\"").wait(10s) == 0);
}

void gives_up_waiting_and_kills_the_group_at_the_end()
{
    const check::TemporaryDirectory directory;
    const std::string path = directory.file("pid");
    {
        Child child = shell("sleep 1000 & echo $! >" + path + "; wait");
        CHECK(check::eventually([&] { return path_exists(path); }));
        CHECK(!child.wait(20ms).has_value());
        CHECK(!child.status().has_value());
    }
    const pid_t below = std::stoi(read_file(path, 100));
    CHECK(check::eventually([&] { return !process_start_time(below); }));
}

void leaves_one_that_may_outlive_it()
{
    pid_t pid = 0;
    {
        Child child = shell("sleep 1000");
        child.leave();
        pid = child.pid();
    }
    CHECK(process_start_time(pid).has_value());
    CHECK(kill(-pid, SIGKILL) == 0);
    CHECK_EQUAL(waitpid(pid, nullptr, 0), pid);
}

void starts_with_no_signal_blocked()
{
    sigset_t term{};
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    CHECK(sigprocmask(SIG_BLOCK, &term, nullptr) == 0);
    Child child = shell("exec sleep 1000");
    child.signal(SIGTERM);
    CHECK(child.wait(10s) == 128 + SIGTERM);
    CHECK(sigprocmask(SIG_UNBLOCK, &term, nullptr) == 0);
}

void says_what_cannot_be_started()
{
    CHECK_THROWS(Child({.argv = {"/nonexistent/program"}}), SystemError,
                 [](const SystemError &error) {
                     CHECK(std::string_view(error.what())
                               .starts_with("cannot start '/nonexistent/program'"));
                 });
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(tells_the_status),
        TEST(feeds_more_than_a_pipe_holds),
        TEST(has_no_input_unless_it_is_given),
        TEST(gives_up_waiting_and_kills_the_group_at_the_end),
        TEST(leaves_one_that_may_outlive_it),
        TEST(starts_with_no_signal_blocked),
        TEST(says_what_cannot_be_started),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
