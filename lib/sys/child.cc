#include "sys/child.hh"

#include "base/error.hh"
#include "sys/signals.hh"

#include <cerrno>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ap {

namespace {

[[noreturn]] void become(const std::vector<std::string> &words)
{
    std::vector<std::string> copies = words;
    std::vector<char *> argv;
    argv.reserve(copies.size() + 1);
    for (std::string &word : copies) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    sigset_t none{};
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execvp(argv.front(), argv.data());
    _exit(errno == ENOENT ? 127 : 126);
}

} // namespace

ChildResult run_child(const std::vector<std::string> &argv)
{
    SignalFd signals({SIGINT, SIGTERM, SIGCHLD});
    const pid_t child = fork();
    if (child < 0) {
        throw_errno("cannot fork");
    }
    if (child == 0) {
        become(argv);
    }
    ChildResult result;
    while (true) {
        int status = 0;
        if (waitpid(child, &status, WNOHANG) == child) {
            result.status =
                WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            return result;
        }
        pollfd watched = {signals.fd(), POLLIN, 0};
        static_cast<void>(poll(&watched, 1, -1));
        while (const auto signal = signals.next()) {
            if (*signal != SIGCHLD) {
                result.interrupted = true;
                kill(child, *signal);
            }
        }
    }
}

} // namespace ap
