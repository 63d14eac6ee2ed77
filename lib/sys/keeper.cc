#include "sys/keeper.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "sys/keeper_process.hh"
#include "sys/path.hh"
#include "sys/process.hh"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ap {

namespace {

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

KeeperTask task_for(KeptCommand &command, int report)
{
    KeeperTask task;
    task.candidates = executable_candidates(command);
    task.argv = pointers(command.argv);
    task.environment = pointers(command.environment);
    task.directory = command.directory.c_str();
    task.standard_input = command.standard_input.get();
    task.standard_output = command.standard_output.get();
    task.standard_error = command.standard_error.get();
    task.report = report;
    task.grace = command.grace;
    task.executor = getpid();
    sigemptyset(&task.handled);
    for (const int signal : {SIGTERM, SIGUSR1, SIGCHLD}) {
        sigaddset(&task.handled, signal);
    }
    return task;
}

bool is_keeper(pid_t pid)
{
    try {
        return trim(read_file("/proc/" + std::to_string(pid) + "/comm", 4096)) ==
               keeper_name;
    } catch (const Error &) {
        return true; // it cannot be told: leave it alone
    }
}

std::vector<pid_t> orphaned_children()
{
    std::vector<pid_t> orphans = unreaped_children_of(getpid());
    std::erase_if(orphans, is_keeper);
    return orphans;
}

// A keeper has died without its report: what it kept are children of this process now.
// Repeated, since what an orphan leaves, or forks meanwhile, becomes ours in turn.
void end_orphans()
{
    for (auto orphans = orphaned_children(); !orphans.empty();
         orphans = orphaned_children()) {
        for (const pid_t orphan : orphans) {
            for (const pid_t below : descendants_of(orphan)) {
                static_cast<void>(::kill(below, SIGKILL));
            }
            static_cast<void>(::kill(orphan, SIGKILL));
        }
        for (const pid_t orphan : orphans) {
            static_cast<void>(waitpid(orphan, nullptr, 0));
        }
    }
}

// Forks with every signal blocked, so that the child loses none that is sent before it is
// ready, and under the keepers' name, so that end_orphans never takes a keeper that has
// not run yet for an orphan.
pid_t fork_keeper(KeeperTask &task)
{
    sigset_t all{};
    sigset_t before{};
    std::array<char, 16> own_name{};
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    prctl(PR_GET_NAME, own_name.data());
    prctl(PR_SET_NAME, keeper_name);
    const pid_t pid = fork();
    if (pid == 0) {
        run_keeper(task);
    }
    const int fork_errno = errno;
    prctl(PR_SET_NAME, own_name.data());
    sigprocmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) {
        throw SystemError("cannot fork", fork_errno);
    }
    return pid;
}

} // namespace

Keeper::Keeper(KeptCommand command)
{
    if (!command.standard_input) {
        command.standard_input = open_file("/dev/null", O_RDONLY);
    }
    Pipe report = make_pipe();
    KeeperTask task = task_for(command, report.write.get());
    pid_ = fork_keeper(task);
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
    send(SIGTERM);
}

void Keeper::kill() noexcept
{
    send(SIGUSR1);
}

void Keeper::send(int signal) noexcept
{
    if (pid_ > 0) { // else it would go to every process there is
        static_cast<void>(::kill(pid_, signal));
    }
}

KeptResult Keeper::finish()
{
    if (pid_ < 0) {
        throw Error(ExitStatus::Bug, "a keeper was finished twice");
    }
    KeeperReport report;
    const bool reported = read_some(report_.get(), reinterpret_cast<char *>(&report),
                                    sizeof report, "a keeper's report") == sizeof report;
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    report_.reset();
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
