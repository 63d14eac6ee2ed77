#include "sys/keeper_process.hh"

#include "base/text.hh"
#include "sys/fd.hh"
#include "sys/fifo_spool.hh"
#include "sys/path.hh"
#include "sys/process.hh"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <iterator>
#include <linux/close_range.h>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace ap {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int channel_descriptor = STDERR_FILENO + 1;

// A command to start, in the form that fork and exec want: between them nothing may be
// allocated.
struct Task
{
    std::string text; ///< what the pointers point into
    const char *directory = nullptr;
    std::vector<std::string> candidates; ///< paths to try to execute, in order
    std::vector<char *> argv;            ///< ends with a null pointer
    std::vector<char *> environment;     ///< ends with a null pointer
    Fd standard_input;                   ///< none: /dev/null
    Fd standard_output;
    Fd standard_error;
    Fd spooled_fifo;           ///< may be none
    std::array<Fd, 2> readers; ///< of its output and error; may be none
    const char *spool = nullptr;
    std::chrono::milliseconds grace{0};
};

void default_signals()
{
    for (int signal = 1; signal < NSIG; signal++) {
        static_cast<void>(std::signal(signal, SIG_DFL)); // KILL and STOP refuse
    }
    sigset_t none{};
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Leaves /dev/null as the standard descriptors, the channel behind them, and nothing
// else; the executor's database must be closed without a word to SQLite.
void close_foreign_descriptors(int channel)
{
    // Both above the numbers wanted first, so that neither is overwritten.
    const int moved = fcntl(channel, F_DUPFD_CLOEXEC, channel_descriptor + 1);
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int high = fcntl(null, F_DUPFD_CLOEXEC, channel_descriptor + 1);
    if (moved < 0 || high < 0 || dup3(moved, channel_descriptor, O_CLOEXEC) < 0) {
        _exit(1);
    }
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (dup2(high, fd) < 0) {
            _exit(1);
        }
    }
    static_cast<void>(close_range(channel_descriptor + 1, ~0U, 0));
}

// As execvp(3) searches, but in the command's own PATH.
std::vector<std::string> executable_candidates(const Task &task)
{
    const std::string_view name = task.argv.front();
    if (name.find('/') != std::string::npos) {
        return {std::string(name)};
    }
    std::string_view path = "/usr/local/bin:/usr/bin:/bin";
    for (const char *variable : task.environment) {
        const std::string_view entry = variable == nullptr ? "" : variable;
        if (entry.starts_with("PATH=")) {
            path = entry.substr(std::strlen("PATH="));
        }
    }
    std::vector<std::string> candidates;
    for (const std::string_view directory : split(path, ':')) {
        candidates.push_back(join_path(directory.empty() ? "." : directory, name));
    }
    return candidates;
}

// The command's own process up to its exec. It shares the keeper's memory (vfork), which
// waits meanwhile: only `exec_errno` is written there.
[[noreturn]] void become_command(const Task &task, pid_t keeper, int &exec_errno)
{
    // A keeper that is killed takes the command with it, even before the exec.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != keeper) {
        _exit(127);
    }
    setsid();
    default_signals();
    if ((task.standard_input && dup2(task.standard_input.get(), STDIN_FILENO) < 0) ||
        dup2(task.standard_output.get(), STDOUT_FILENO) < 0 ||
        dup2(task.standard_error.get(), STDERR_FILENO) < 0 ||
        chdir(task.directory) != 0) {
        exec_errno = errno;
        _exit(127);
    }
    int error = ENOENT;
    for (const std::string &candidate : task.candidates) {
        execve(candidate.c_str(), task.argv.data(), task.environment.data());
        if (errno == EACCES) {
            error = EACCES;
        } else if (errno != ENOENT && errno != ENOTDIR) {
            error = errno;
            break;
        }
    }
    exec_errno = error;
    _exit(127);
}

// The next order, and a start's descriptors in `task`; nothing when the executor is gone.
std::optional<KeeperOrder> receive_order(Task &task)
{
    KeeperOrder order;
    iovec data = {&order, sizeof order};
    std::array<int, most_passed_descriptors> passed{};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof passed)> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (recvmsg(channel_descriptor, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL) !=
        sizeof order) {
        return std::nullopt;
    }
    const cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != nullptr) {
        std::memcpy(passed.data(), CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
        const int *next = passed.data();
        task.standard_output.reset(*next++);
        task.standard_error.reset(*next++);
        if (order.has_input != 0) {
            task.standard_input.reset(*next++);
        }
        if (order.has_fifo != 0) {
            task.spooled_fifo.reset(*next++);
        }
        for (size_t i = 0; order.has_readers != 0 && i < task.readers.size(); i++) {
            task.readers.at(i).reset(*next++);
        }
    }
    return order;
}

// What follows a start; false when the executor is gone.
bool receive_text(const KeeperOrder &order, Task &task)
{
    task.text.resize(order.text_size);
    if (recv(channel_descriptor, task.text.data(), task.text.size(), MSG_WAITALL) !=
        static_cast<ssize_t>(task.text.size())) {
        return false;
    }
    char *next = task.text.data();
    const auto take = [&next] {
        char *string = next;
        next += std::strlen(string) + 1;
        return string;
    };
    task.directory = take();
    task.spool = take();
    std::generate_n(std::back_inserter(task.argv), order.words, take);
    std::generate_n(std::back_inserter(task.environment), order.variables, take);
    task.argv.push_back(nullptr);
    task.environment.push_back(nullptr);
    task.candidates = executable_candidates(task);
    task.grace = std::chrono::milliseconds(order.grace_ms);
    return true;
}

Fd open_signals()
{
    sigset_t heard{};
    sigemptyset(&heard);
    sigaddset(&heard, SIGTERM);
    sigaddset(&heard, SIGCHLD);
    return Fd(signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK));
}

// Keeps one command: starts it, waits for its end or for the order to end it, ends
// whatever is left.
class Keeping
{
public:
    Keeping(Task task, int signals)
        : task_(std::move(task))
        , signals_(signals)
    {
    }

    KeeperReport run()
    {
        take_signals(); // what came before the command is not meant for it
        start_command();
        reap();
        while (!command_ended_ || has_children_) {
            wait_for_news();
            take_signals();
            reap();
            if (command_ended_ && has_children_) {
                begin_to_end();
            }
            if (kill_at_) {
                end_tree();
            }
            if (executor_gone_) {
                save_fifo(); // a full one would hold up those that are to end
            }
        }
        // The executor may be dead, or die before it has read it.
        save_fifo();
        return report_;
    }

private:
    void start_command()
    {
        const pid_t keeper = getpid();
        // fork() would copy the page tables and let every page the keeper writes fault;
        // posix_spawn() cannot set a death signal. The child writes nothing here but the
        // errno and its pid, 0, which the keeper's own return overwrites.
        // NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork)
        command_ = vfork();
        if (command_ == 0) {
            become_command(task_, keeper, report_.exec_errno);
        }
        if (command_ < 0) {
            report_.exec_errno = errno;
            command_ended_ = true;
            has_children_ = false;
        }
        // Whoever reads the command's pipes must see their end although the keeper lives.
        task_.standard_input.reset();
        task_.standard_output.reset();
        task_.standard_error.reset();
    }

    void save_fifo() const
    {
        if (task_.spooled_fifo) {
            static_cast<void>(move_to_spool(task_.spooled_fifo.get(), task_.spool));
        }
    }

    // Looks again every so often while something is being ended: a process may have been
    // forked between the look and the signal.
    void wait_for_news()
    {
        constexpr int look_again_ms = 50;
        std::array<pollfd, 4> watched = {
            {{signals_, POLLIN, 0},
             {executor_gone_ ? -1 : channel_descriptor, POLLIN, 0},
             {executor_gone_ ? task_.readers[0].get() : -1, POLLIN, 0},
             {executor_gone_ ? task_.readers[1].get() : -1, POLLIN, 0}}};
        static_cast<void>(
            poll(watched.data(), watched.size(), kill_at_ ? look_again_ms : -1));
        if (watched[1].revents != 0) {
            take_order();
        }
        for (size_t i = 0; i < task_.readers.size(); i++) {
            if (watched.at(i + 2).revents != 0) {
                read_away(task_.readers.at(i));
            }
        }
    }

    static void read_away(Fd &reader)
    {
        std::array<char, 65536> buffer;
        if (read(reader.get(), buffer.data(), buffer.size()) == 0) {
            reader.reset();
        }
    }

    void take_order()
    {
        Task none;
        const auto order = receive_order(none);
        if (!order) {
            executor_gone_ = true;
        }
        if (order && order->kind == KeeperOrder::Kind::Kill) {
            kill_at_ = Clock::now();
        }
        report_.told_to_end = 1;
        begin_to_end();
    }

    void take_signals()
    {
        signalfd_siginfo signal{};
        while (read(signals_, &signal, sizeof signal) == sizeof signal) {
            if (signal.ssi_signo == SIGTERM && command_ > 0) {
                report_.told_to_end = 1;
                begin_to_end();
            }
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

    Task task_;
    int signals_;
    KeeperReport report_;
    pid_t command_ = -1;
    bool command_ended_ = false;
    bool has_children_ = true;
    bool executor_gone_ = false;
    std::optional<Clock::time_point> kill_at_;
    std::vector<pid_t> told_; ///< have been sent TERM
};

} // namespace

void run_keeper(int channel) noexcept
{
    close_foreign_descriptors(channel);
    static_cast<void>(
        std::signal(SIGCHLD, SIG_DFL)); // ignored, it would reap behind our back
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    const Fd signals = open_signals();
    while (true) {
        Task task;
        const auto order = receive_order(task);
        if (!order || !signals) {
            _exit(0);
        }
        if (order->kind == KeeperOrder::Kind::Start && receive_text(*order, task)) {
            const KeeperReport report = Keeping(std::move(task), signals.get()).run();
            static_cast<void>(
                send(channel_descriptor, &report, sizeof report, MSG_NOSIGNAL));
        }
    }
}

} // namespace ap
