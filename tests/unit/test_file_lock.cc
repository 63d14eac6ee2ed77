#include "sys/file_lock.hh"

#include "check.hh"
#include "support.hh"

#include "base/error.hh"
#include "sys/fd.hh"

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

using namespace ap;

namespace {

void is_held_as_long_as_it_lives()
{
    const check::TemporaryDirectory directory;
    {
        const FileLock lock(directory.path(), "it");
        CHECK(FileLock::is_held(directory.path()));
        CHECK_THROWS(FileLock(directory.path(), "it"), Error, [](const Error &error) {
            CHECK_EQUAL(error.status(), ExitStatus::TryAgain);
            CHECK_EQUAL(std::string(error.what()), "it is in use by another process");
        });
    }
    CHECK(!FileLock::is_held(directory.path()));
}

void is_free_when_its_holder_is_killed()
{
    const check::TemporaryDirectory directory;
    const Pipe ready = make_pipe();
    const pid_t child = fork();
    if (child == 0) {
        const FileLock lock(directory.path(), "it");
        write_all(ready.write.get(), "x", "pipe");
        pause();
        _exit(0);
    }
    char byte = 0;
    CHECK(read_some(ready.read.get(), &byte, 1, "pipe") == 1);
    CHECK(FileLock::is_held(directory.path()));
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, nullptr, 0) == child);
    CHECK(!FileLock::is_held(directory.path()));
}

void says_what_cannot_be_opened()
{
    CHECK_THROWS(FileLock("/nonexistent/x", "it"), SystemError,
                 [](const SystemError &error) {
                     CHECK_EQUAL(error.status(), ExitStatus::NoInput);
                 });
    CHECK(!FileLock::is_held("/nonexistent/x"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(is_held_as_long_as_it_lives),
        TEST(is_free_when_its_holder_is_killed),
        TEST(says_what_cannot_be_opened),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
