#include "sys/process.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "sys/directory.hh"
#include "sys/fd.hh"
#include "sys/path.hh"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <set>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ap {

namespace {

using Milliseconds = std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr Milliseconds after_kill{5000};
constexpr size_t largest_proc_file = 4 << 20;

// What proc(5) calls the fields of /proc/PID/stat, as far as they are used here.
struct ProcessStatus
{
    char state = '?';
    pid_t parent = 0;
    pid_t session = 0;
    int64_t threads = 0;
    int64_t started = 0;

    // A process whose first thread has ended looks like a zombie while others run on.
    bool is_zombie() const { return state == 'X' || (state == 'Z' && threads <= 1); }
};

std::optional<std::string> read_proc(pid_t pid, const char *name)
{
    try {
        return read_file("/proc/" + std::to_string(pid) + "/" + name, largest_proc_file);
    } catch (const Error &) {
        return std::nullopt; // it ended meanwhile, or is not ours to look at
    }
}

std::optional<ProcessStatus> process_status(pid_t pid)
{
    const auto text = read_proc(pid, "stat");
    // The command's name is in parentheses and may hold anything, these included.
    const size_t name_end = text ? text->rfind(')') : std::string::npos;
    if (name_end == std::string::npos) {
        return std::nullopt;
    }
    const auto fields = split(std::string_view(*text).substr(name_end + 2), ' ');
    constexpr size_t state = 0;
    constexpr size_t parent = 1;
    constexpr size_t session = 3;
    constexpr size_t threads = 17;
    constexpr size_t started = 19;
    if (fields.size() <= started) {
        return std::nullopt;
    }
    const auto number = [&](size_t index) {
        return parse_integer(fields[index], INT64_MIN, INT64_MAX).value_or(0);
    };
    return ProcessStatus{fields[state].front(), static_cast<pid_t>(number(parent)),
                         static_cast<pid_t>(number(session)), number(threads),
                         number(started)};
}

using ProcessList = std::vector<std::pair<pid_t, ProcessStatus>>;

ProcessList all_processes()
{
    const Directory proc(opendir("/proc"));
    if (!proc) {
        throw_errno("cannot list /proc");
    }
    ProcessList processes;
    while (const dirent *entry = readdir(proc.get())) {
        const auto pid =
            parse_integer(static_cast<const char *>(entry->d_name), 1, INT_MAX);
        const auto status = pid ? process_status(static_cast<pid_t>(*pid)) : std::nullopt;
        if (status) {
            processes.emplace_back(static_cast<pid_t>(*pid), *status);
        }
    }
    return processes;
}

ProcessList living_processes()
{
    ProcessList processes = all_processes();
    std::erase_if(processes, [](const auto &entry) { return entry.second.is_zombie(); });
    return processes;
}

std::vector<pid_t> children_among(const ProcessList &processes, pid_t parent)
{
    std::vector<pid_t> children;
    for (const auto &[pid, status] : processes) {
        if (status.parent == parent) {
            children.push_back(pid);
        }
    }
    return children;
}

std::string current_boot_id()
{
    return std::string(
        trim(read_file("/proc/sys/kernel/random/boot_id", largest_proc_file)));
}

bool has_environment(pid_t pid, std::string_view entry)
{
    const auto environment = read_proc(pid, "environ");
    if (!environment) {
        return false;
    }
    const auto entries = split(*environment, '\0');
    return std::find(entries.begin(), entries.end(), entry) != entries.end();
}

std::set<pid_t> self_and_ancestors()
{
    std::set<pid_t> pids;
    for (pid_t pid = getpid(); pid > 0;) {
        pids.insert(pid);
        const auto status = process_status(pid);
        pid = status ? status->parent : 0;
    }
    return pids;
}

// Waits until the processes behind `pinned` have ended and forgets them; false if some
// are left at `deadline`.
bool wait_for_end(std::vector<Fd> &pinned, Clock::time_point deadline)
{
    while (!pinned.empty()) {
        const auto left =
            std::chrono::ceil<Milliseconds>(deadline - Clock::now()).count();
        pollfd watched = {pinned.back().get(), POLLIN, 0};
        const int ready = poll(&watched, 1, static_cast<int>(std::max<int64_t>(0, left)));
        if (ready < 0 && errno != EINTR) {
            throw_errno("cannot wait for a process");
        }
        if (ready == 0) {
            return false;
        }
        if (ready > 0) {
            pinned.pop_back();
        }
    }
    return true;
}

void signal_all(const std::vector<Fd> &pinned, int signal)
{
    for (const Fd &process : pinned) {
        // One that has just ended needs no signal.
        static_cast<void>(
            syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0));
    }
}

} // namespace

ProcessIdentity ProcessIdentity::self()
{
    const auto status = process_status(getpid());
    return {getpid(), status ? status->started : 0, current_boot_id()};
}

bool is_alive(const ProcessIdentity &process)
{
    if (process.boot_id != current_boot_id()) {
        return false;
    }
    const auto status = process_status(process.pid);
    if (!status) {
        // /proc may hide what another user's process is (hidepid, ProtectProc=), but not
        // that there is one. To hold a living process for dead would be worse than the
        // contrary: its work would be taken from it.
        return kill(process.pid, 0) != 0 && errno == EPERM;
    }
    return !status->is_zombie() && status->started == process.started;
}

std::optional<int64_t> process_start_time(pid_t pid)
{
    const auto status = process_status(pid);
    if (!status || status->is_zombie()) {
        return std::nullopt;
    }
    return status->started;
}

std::vector<pid_t> children_of(pid_t parent)
{
    return children_among(living_processes(), parent);
}

std::vector<pid_t> unreaped_children_of(pid_t parent)
{
    return children_among(all_processes(), parent);
}

std::vector<pid_t> descendants_of(pid_t root)
{
    const ProcessList processes = living_processes();
    std::vector<pid_t> found = children_among(processes, root);
    for (size_t i = 0; i < found.size(); i++) {
        const std::vector<pid_t> below = children_among(processes, found[i]);
        found.insert(found.end(), below.begin(), below.end());
    }
    return found;
}

std::vector<pid_t> processes_with_environment(std::string_view entry)
{
    const auto processes = living_processes();
    const std::set<pid_t> spared = self_and_ancestors();
    std::set<pid_t> found;
    std::set<pid_t> sessions;
    for (const auto &[pid, status] : processes) {
        if (!spared.contains(pid) && has_environment(pid, entry)) {
            found.insert(pid);
            sessions.insert(status.session);
            const auto below = descendants_of(pid);
            found.insert(below.begin(), below.end());
        }
    }
    const auto own = process_status(getpid());
    for (const auto &[pid, status] : processes) {
        // Only a session that one of the marked processes leads is theirs alone; they may
        // also be ordinary members of the session the executor was started in.
        if (!spared.contains(pid) && sessions.contains(status.session) &&
            found.contains(status.session) && own && status.session != own->session) {
            found.insert(pid);
        }
    }
    return {found.begin(), found.end()};
}

std::vector<ProcessIdentity> processes_in(std::string_view name,
                                          const std::string &directory)
{
    std::vector<ProcessIdentity> found;
    for (const auto &[pid, status] : living_processes()) {
        const auto called = read_proc(pid, "comm");
        if (!called || trim(*called) != name) {
            continue;
        }
        std::array<char, PATH_MAX> buffer{};
        const std::string link = "/proc/" + std::to_string(pid) + "/cwd";
        // Of other users' processes this cannot be read.
        const ssize_t length = readlink(link.c_str(), buffer.data(), buffer.size());
        const std::string_view cwd(buffer.data(),
                                   static_cast<size_t>(std::max<ssize_t>(0, length)));
        if (cwd == directory || cwd.starts_with(directory + "/")) {
            found.push_back({pid, status.started, current_boot_id()});
        }
    }
    return found;
}

bool end_processes(const std::vector<pid_t> &processes, std::chrono::milliseconds grace)
{
    std::vector<Fd> pinned;
    for (const pid_t pid : processes) {
        Fd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
        if (process) {
            pinned.push_back(std::move(process));
        } else if (errno != ESRCH) {
            throw_errno("cannot watch process " + std::to_string(pid));
        }
    }
    signal_all(pinned, SIGTERM);
    signal_all(pinned, SIGCONT);
    if (wait_for_end(pinned, Clock::now() + grace)) {
        return true;
    }
    signal_all(pinned, SIGKILL);
    return wait_for_end(pinned, Clock::now() + after_kill);
}

void yield_to_other_threads(int by) noexcept
{
    // On Linux a priority is a thread's own.
    const int before = getpriority(PRIO_PROCESS, 0);
    static_cast<void>(setpriority(PRIO_PROCESS, 0, before + by));
}

std::string program_directory()
{
    std::array<char, PATH_MAX> path{};
    const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
    if (length < 0) {
        throw_errno("cannot tell where this program is");
    }
    return parent_path({path.data(), static_cast<size_t>(length)});
}

std::string user_name()
{
    std::array<char, 4096> buffer{};
    passwd entry{};
    passwd *found = nullptr;
    const int error = getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found);
    return error == 0 && found != nullptr ? entry.pw_name : std::to_string(geteuid());
}

std::string random_token()
{
    std::array<unsigned char, 32> bytes{};
    if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        throw_errno("cannot get random bytes");
    }
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string token;
    for (const unsigned char byte : bytes) {
        token += digits[byte >> 4];
        token += digits[byte & 15];
    }
    return token;
}

} // namespace ap
