#include "sys/foreground.hh"

#include "base/error.hh"

#include <cerrno>
#include <csignal>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ap {

namespace {

constexpr int not_found_status = 127;
constexpr int not_executable_status = 126;

// Blocks the signals that end a process, and SIGCHLD, to be taken with sigwaitinfo.
class HeldSignals
{
public:
    HeldSignals()
    {
        sigemptyset(&held_);
        for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD}) {
            sigaddset(&held_, signal);
        }
        if (sigprocmask(SIG_BLOCK, &held_, &before_) != 0) {
            throw_errno("cannot block signals");
        }
    }
    ~HeldSignals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
    HeldSignals(const HeldSignals &) = delete;
    HeldSignals &operator=(const HeldSignals &) = delete;

    const sigset_t &held() const noexcept { return held_; }
    const sigset_t &before() const noexcept { return before_; }

private:
    sigset_t held_{};
    sigset_t before_{};
};

// Starts argv with the signal mask `mask`; returns an errno value, 0 for success.
int spawn(const std::vector<std::string> &argv, const sigset_t &mask, pid_t &pid)
{
    std::vector<char *> words;
    words.reserve(argv.size() + 1);
    for (const std::string &word : argv) {
        words.push_back(const_cast<char *>(word.c_str())); // execv takes them so
    }
    words.push_back(nullptr);
    posix_spawnattr_t attributes;
    int error = posix_spawnattr_init(&attributes);
    if (error != 0) {
        return error;
    }
    posix_spawnattr_setsigmask(&attributes, &mask);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    error = posix_spawnp(&pid, words[0], nullptr, &attributes, words.data(), environ);
    posix_spawnattr_destroy(&attributes);
    return error;
}

// The status of the child if it has ended; false if it has not.
bool take_status(pid_t pid, int &status)
{
    int raw = 0;
    const pid_t ended = waitpid(pid, &raw, WNOHANG);
    if (ended < 0) {
        throw_errno("cannot wait for the command");
    }
    if (ended == 0) {
        return false;
    }
    status = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
    return true;
}

} // namespace

ForegroundResult run_foreground(const std::vector<std::string> &argv)
{
    ForegroundResult result;
    // Inherited as ignored, SIGCHLD would take the child's status away.
    if (signal(SIGCHLD, SIG_DFL) == SIG_ERR) {
        throw_errno("cannot reset SIGCHLD");
    }
    const HeldSignals signals;
    pid_t pid = -1;
    result.start_errno = spawn(argv, signals.before(), pid);
    if (result.start_errno != 0) {
        result.status =
            result.start_errno == ENOENT ? not_found_status : not_executable_status;
        return result;
    }
    while (!take_status(pid, result.status)) {
        siginfo_t info = {};
        const int signal = sigwaitinfo(&signals.held(), &info);
        if (signal <= 0 || signal == SIGCHLD) {
            continue;
        }
        result.interrupted = true;
        // The kernel sends a terminal's signals to the whole foreground group.
        if (info.si_code <= 0) {
            ::kill(pid, signal);
        }
    }
    return result;
}

} // namespace ap
