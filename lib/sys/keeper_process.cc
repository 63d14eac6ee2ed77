#include "sys/keeper_process.hh"

#include "sys/process.hh"

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <linux/close_range.h>
#include <optional>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ap {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int first_free_descriptor = STDERR_FILENO + 1;

void close_all_between(int first, unsigned last)
{
    static_cast<void>(close_range(static_cast<unsigned>(first), last, 0));
}

void default_signals()
{
    for (int signal = 1; signal < NSIG; signal++) {
        static_cast<void>(std::signal(signal, SIG_DFL)); // KILL and STOP refuse
    }
    sigset_t none{};
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Closes everything but the standard descriptors and what the command and the report
// need; the executor's database must be closed without a word to SQLite.
void close_foreign_descriptors(KeeperTask &task)
{
    const std::array<int *, 4> kept = {&task.report, &task.standard_input,
                                       &task.standard_output, &task.standard_error};
    int next = first_free_descriptor;
    // First all above the numbers wanted, then down in order, so that none is
    // overwritten.
    for (int *fd : kept) {
        *fd = fcntl(*fd, F_DUPFD_CLOEXEC, next + static_cast<int>(kept.size()));
        if (*fd < 0) {
            _exit(1);
        }
    }
    for (int *fd : kept) {
        if (dup3(*fd, next, O_CLOEXEC) < 0) {
            _exit(1);
        }
        *fd = next++;
    }
    close_all_between(next, ~0U);
}

[[noreturn]] void fail_to_start(int exec_report)
{
    const int code = errno;
    static_cast<void>(!write(exec_report, &code, sizeof code));
    _exit(127);
}

// The command's own process, up to its exec.
[[noreturn]] void become_command(const KeeperTask &task, pid_t keeper, int exec_report)
{
    // A keeper that is killed takes the command with it, even before the exec.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != keeper) {
        _exit(127);
    }
    setsid();
    default_signals();
    if (dup2(task.standard_input, STDIN_FILENO) < 0 ||
        dup2(task.standard_output, STDOUT_FILENO) < 0 ||
        dup2(task.standard_error, STDERR_FILENO) < 0 || chdir(task.directory) != 0) {
        fail_to_start(exec_report);
    }
    int error = ENOENT;
    for (const std::string &candidate : task.candidates) {
        execve(candidate.c_str(), task.argv.data(), task.environment.data());
        if (errno == EACCES) {
            error = EACCES;
        } else if (errno != ENOENT && errno != ENOTDIR) {
            fail_to_start(exec_report);
        }
    }
    errno = error;
    fail_to_start(exec_report);
}

// Starts the command, waits for its end or for the order to end it, ends whatever is
// left, reports.
class KeeperProcess
{
public:
    explicit KeeperProcess(const KeeperTask &task)
        : task_(task)
    {
    }

    [[noreturn]] void run()
    {
        std::signal(SIGCHLD, SIG_DFL); // ignored, it would reap behind our back
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != task_.executor) {
            _exit(1); // it died before the line above
        }
        start_command();
        while (!command_ended_ || has_children_) {
            handle_signal(wait_for_signal());
            reap();
            if (command_ended_ && has_children_) {
                begin_to_end();
                end_tree();
            }
        }
        static_cast<void>(!write(task_.report, &report_, sizeof report_));
        _exit(0);
    }

private:
    void start_command()
    {
        std::array<int, 2> exec_report{};
        if (pipe2(exec_report.data(), O_CLOEXEC) != 0) {
            _exit(1);
        }
        const pid_t keeper = getpid();
        command_ = fork();
        if (command_ == 0) {
            become_command(task_, keeper, exec_report[1]);
        }
        if (command_ < 0) {
            report_.exec_errno = errno;
            command_ended_ = true;
            has_children_ = false;
            return;
        }
        close(exec_report[1]);
        if (read(exec_report[0], &report_.exec_errno, sizeof report_.exec_errno) !=
            sizeof report_.exec_errno) {
            report_.exec_errno = 0;
        }
        // Whoever reads the command's pipes, or the executor's own output, must see their
        // end although the keeper lives on.
        close_all_between(0, static_cast<unsigned>(task_.report - 1));
        close_all_between(task_.report + 1, ~0U);
    }

    int wait_for_signal() const
    {
        if (!kill_at_) {
            return sigwaitinfo(&task_.handled, nullptr);
        }
        // Looks again every so often while something is being ended: a process may have
        // been forked between the look and the signal.
        const timespec pause = {0, 50'000'000};
        return sigtimedwait(&task_.handled, nullptr, &pause);
    }

    void handle_signal(int signal)
    {
        if (signal == SIGTERM) {
            report_.told_to_end = 1;
            begin_to_end();
        } else if (signal == SIGUSR1) {
            report_.told_to_end = 1;
            kill_at_ = Clock::now();
        }
        if (kill_at_) {
            end_tree();
        }
    }

    void begin_to_end()
    {
        if (!kill_at_) {
            kill_at_ = Clock::now() + task_.grace;
        }
    }

    // Each process is sent TERM once, as soon as it is seen; after the grace period KILL.
    void end_tree()
    {
        const bool grace_is_over = Clock::now() >= *kill_at_;
        for (const pid_t pid : descendants_of(getpid())) {
            if (grace_is_over) {
                kill(pid, SIGKILL);
            } else if (std::find(told_.begin(), told_.end(), pid) == told_.end()) {
                told_.push_back(pid);
                kill(pid, SIGTERM);
                kill(pid, SIGCONT); // a stopped process cannot act on TERM
            }
        }
    }

    void reap()
    {
        int status = 0;
        rusage usage{};
        pid_t pid = 0;
        while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
            if (pid == command_) {
                command_ended_ = true;
                report_.wait_status = status;
                report_.cpu_ms = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
                                 (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
                report_.max_rss_kib = usage.ru_maxrss;
            }
        }
        has_children_ = !(pid < 0 && errno == ECHILD);
    }

    const KeeperTask &task_;
    KeeperReport report_;
    pid_t command_ = -1;
    bool command_ended_ = false;
    bool has_children_ = true;
    std::optional<Clock::time_point> kill_at_;
    std::vector<pid_t> told_; ///< have been sent TERM
};

} // namespace

void run_keeper(KeeperTask &task) noexcept
{
    close_foreign_descriptors(task);
    KeeperProcess(task).run();
}

} // namespace ap
