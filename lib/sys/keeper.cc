#include "sys/keeper.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "sys/path.hh"
#include "sys/process.hh"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ap {

namespace {

using Milliseconds = std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr const char *keeper_name = "ap-keeper";

// What a keeper writes into its pipe, once, before it exits.
struct Report
{
    int wait_status = 0;
    int exec_errno = 0;
    int told_to_end = 0;
    int64_t cpu_ms = 0;
    int64_t max_rss_kib = 0;
};

// Everything the two children need, prepared before the first fork: a child of a process
// that may be anywhere in its allocator should allocate as little as it can.
struct Prepared
{
    std::vector<std::string> candidates; ///< paths to try to execute, in order
    std::vector<char *> argv;
    std::vector<char *> environment;
    const char *directory = nullptr;
    int standard_input = -1;
    int standard_output = -1;
    int standard_error = -1;
    int report = -1;
    Milliseconds grace{0};
    pid_t executor = 0;
    sigset_t kept_signals{};
};

std::vector<char *> pointers(std::vector<std::string> &strings)
{
    std::vector<char *> list;
    for (std::string &string : strings) {
        list.push_back(string.data());
    }
    list.push_back(nullptr);
    return list;
}

// As execvp(3) searches, but in the command's own PATH.
std::vector<std::string> executable_candidates(const KeptCommand &command)
{
    const std::string &name = command.argv.at(0);
    if (name.find('/') != std::string::npos) {
        return {name};
    }
    std::string path = "/usr/local/bin:/usr/bin:/bin";
    for (const std::string &entry : command.environment) {
        if (entry.starts_with("PATH=")) {
            path = entry.substr(5);
        }
    }
    std::vector<std::string> candidates;
    for (const std::string_view directory : split(path, ':')) {
        candidates.push_back(join_path(directory.empty() ? "." : directory, name));
    }
    return candidates;
}

void close_all_above(unsigned first)
{
    static_cast<void>(close_range(first, ~0U, 0));
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

[[noreturn]] void fail_to_start(int exec_report)
{
    const int code = errno;
    static_cast<void>(!write(exec_report, &code, sizeof code));
    _exit(127);
}

// The command's own process, up to its exec.
[[noreturn]] void become_command(const Prepared &prepared, int exec_report)
{
    setsid();
    default_signals();
    if (dup2(prepared.standard_input, STDIN_FILENO) < 0 ||
        dup2(prepared.standard_output, STDOUT_FILENO) < 0 ||
        dup2(prepared.standard_error, STDERR_FILENO) < 0 ||
        chdir(prepared.directory) != 0) {
        fail_to_start(exec_report);
    }
    int error = ENOENT;
    for (const std::string &candidate : prepared.candidates) {
        execve(candidate.c_str(), prepared.argv.data(), prepared.environment.data());
        if (errno == EACCES) {
            error = EACCES;
        } else if (errno != ENOENT && errno != ENOTDIR) {
            fail_to_start(exec_report);
        }
    }
    errno = error;
    fail_to_start(exec_report);
}

// The life of the keeper process: start the command, wait for its end, or be told to end
// it, end whatever is left, report.
class KeeperProcess
{
public:
    explicit KeeperProcess(const Prepared &prepared)
        : prepared_(prepared)
    {
    }

    [[noreturn]] void run()
    {
        prctl(PR_SET_NAME, keeper_name);
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != prepared_.executor) {
            _exit(1); // it died before the line above
        }
        start_command();
        while (!command_ended_ || has_children_) {
            handle_signal(wait_for_signal());
            reap();
            if (command_ended_ && has_children_) {
                end_tree(SIGTERM);
            }
        }
        static_cast<void>(!write(prepared_.report, &report_, sizeof report_));
        _exit(0);
    }

private:
    void start_command()
    {
        std::array<int, 2> exec_report{};
        if (pipe2(exec_report.data(), O_CLOEXEC) != 0) {
            _exit(1);
        }
        command_ = fork();
        if (command_ == 0) {
            become_command(prepared_, exec_report[1]);
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
        close(exec_report[0]);
        // The pipes' ends must be held by the command alone, or they would never end.
        close(prepared_.standard_input);
        close(prepared_.standard_output);
        close(prepared_.standard_error);
    }

    int wait_for_signal() const
    {
        if (!kill_at_) {
            return sigwaitinfo(&prepared_.kept_signals, nullptr);
        }
        // Looks again every so often while something is being ended: a process may have
        // been forked between the look and the signal.
        const timespec pause = {0, 20'000'000};
        return sigtimedwait(&prepared_.kept_signals, nullptr, &pause);
    }

    void handle_signal(int signal)
    {
        if (signal == SIGTERM) {
            report_.told_to_end = 1;
            end_tree(SIGTERM);
        } else if (signal == SIGUSR1) {
            report_.told_to_end = 1;
            kill_at_ = Clock::now();
        }
        if (kill_at_ && Clock::now() >= *kill_at_) {
            end_tree(SIGKILL);
        }
    }

    // TERM is sent once and starts the grace period; KILL to whoever is there, each time.
    void end_tree(int signal)
    {
        if (signal == SIGTERM) {
            if (kill_at_) {
                return;
            }
            kill_at_ = Clock::now() + prepared_.grace;
        }
        for (const pid_t pid : descendants_of(getpid())) {
            kill(pid, signal);
            if (signal == SIGTERM) {
                kill(pid, SIGCONT);
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

    const Prepared &prepared_;
    Report report_;
    pid_t command_ = -1;
    bool command_ended_ = false;
    bool has_children_ = true;
    std::optional<Clock::time_point> kill_at_;
};

// Closes everything but standard error and what the command and the report need; the
// executor's database must be closed without a word to SQLite.
void close_foreign_descriptors(Prepared &prepared)
{
    constexpr int first_kept = 3;
    int next = first_kept;
    for (int *fd : {&prepared.report, &prepared.standard_input, &prepared.standard_output,
                    &prepared.standard_error}) {
        // Above all numbers in use first, then down in order, so that none is
        // overwritten.
        *fd = fcntl(*fd, F_DUPFD_CLOEXEC, 1000);
        if (*fd < 0) {
            _exit(1);
        }
    }
    for (int *fd : {&prepared.report, &prepared.standard_input, &prepared.standard_output,
                    &prepared.standard_error}) {
        if (dup3(*fd, next, O_CLOEXEC) < 0) {
            _exit(1);
        }
        *fd = next++;
    }
    close_all_above(static_cast<unsigned>(next));
}

bool is_keeper(pid_t pid)
{
    try {
        return trim(read_file("/proc/" + std::to_string(pid) + "/comm", 4096)) ==
               keeper_name;
    } catch (const Error &) {
        return true; // gone already, or cannot be told: leave it alone
    }
}

// A keeper has died without its report: what it kept are children of this process now.
void end_orphans()
{
    std::vector<pid_t> orphans;
    for (const pid_t pid : children_of(getpid())) {
        if (!is_keeper(pid)) {
            orphans.push_back(pid);
            const std::vector<pid_t> below = descendants_of(pid);
            orphans.insert(orphans.end(), below.begin(), below.end());
        }
    }
    for (const pid_t pid : orphans) {
        ::kill(pid, SIGKILL);
    }
    for (const pid_t pid : orphans) {
        static_cast<void>(waitpid(pid, nullptr, 0)); // fails for those that are not ours
    }
}

} // namespace

Keeper::Keeper(KeptCommand command)
{
    if (!command.standard_input) {
        command.standard_input = open_file("/dev/null", O_RDONLY);
    }
    Pipe report = make_pipe();
    Prepared prepared;
    prepared.candidates = executable_candidates(command);
    prepared.argv = pointers(command.argv);
    prepared.environment = pointers(command.environment);
    prepared.directory = command.directory.c_str();
    prepared.standard_input = command.standard_input.get();
    prepared.standard_output = command.standard_output.get();
    prepared.standard_error = command.standard_error.get();
    prepared.report = report.write.get();
    prepared.grace = command.grace;
    prepared.executor = getpid();
    sigemptyset(&prepared.kept_signals);
    for (const int signal : {SIGTERM, SIGUSR1, SIGCHLD}) {
        sigaddset(&prepared.kept_signals, signal);
    }
    // Everything is blocked over the fork, so that the keeper loses no signal sent before
    // it is ready; it never unblocks them, and the command starts with an empty mask.
    sigset_t all{};
    sigset_t before{};
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_ = fork();
    if (pid_ == 0) {
        close_foreign_descriptors(prepared);
        KeeperProcess(prepared).run();
    }
    const int fork_errno = errno;
    sigprocmask(SIG_SETMASK, &before, nullptr);
    if (pid_ < 0) {
        throw SystemError("cannot fork", fork_errno);
    }
    report_ = std::move(report.read);
}

Keeper::Keeper(Keeper &&other) noexcept
    : report_(std::move(other.report_))
    , pid_(std::exchange(other.pid_, -1))
{
}

Keeper &Keeper::operator=(Keeper &&other) noexcept
{
    std::swap(report_, other.report_);
    std::swap(pid_, other.pid_);
    return *this;
}

Keeper::~Keeper()
{
    if (pid_ < 0) {
        return;
    }
    kill();
    try {
        finish();
    } catch (const std::exception &) {
        pid_ = -1; // the process has ended all the same
    }
}

void Keeper::terminate() noexcept
{
    static_cast<void>(::kill(pid_, SIGTERM));
}

void Keeper::kill() noexcept
{
    static_cast<void>(::kill(pid_, SIGUSR1));
}

KeptResult Keeper::finish()
{
    Report report;
    const bool reported = read_some(report_.get(), reinterpret_cast<char *>(&report),
                                    sizeof report, "a keeper's report") == sizeof report;
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    KeptResult result;
    if (!reported) {
        end_orphans();
        result.keeper_lost = true;
        return result;
    }
    result.exec_errno = report.exec_errno;
    result.told_to_end = report.told_to_end != 0;
    result.cpu_ms = report.cpu_ms;
    result.max_rss_kib = report.max_rss_kib;
    if (WIFSIGNALED(report.wait_status)) {
        result.signal = WTERMSIG(report.wait_status);
    } else {
        result.exit_code = WEXITSTATUS(report.wait_status);
    }
    return result;
}

void become_subreaper()
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        throw_errno("cannot adopt orphans");
    }
}

} // namespace ap
