#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace ap {

/// Names one process for good: a pid alone is reused, with its start time and the boot it
/// belongs to it is not.
struct ProcessIdentity
{
    pid_t pid = 0;
    int64_t started = 0; ///< clock ticks after boot, field 22 of /proc/PID/stat
    std::string boot_id; ///< /proc/sys/kernel/random/boot_id

    /// This process.
    static ProcessIdentity self();
};

/// Whether that very process still runs (a zombie does not).
bool is_alive(const ProcessIdentity &process);

/// The start time of `pid` in clock ticks after boot; nothing if there is no such process
/// or it is a zombie.
std::optional<int64_t> process_start_time(pid_t pid);

/// The living children of `parent` (no zombies).
std::vector<pid_t> children_of(pid_t parent);

/// The children of `parent`, with the zombies it has not waited for yet.
std::vector<pid_t> unreaped_children_of(pid_t parent);

/// All living descendants of `root` (not itself, no zombies), parents before children.
std::vector<pid_t> descendants_of(pid_t root);

/// The living processes whose environment at their exec had the entry `entry`
/// ("NAME=value"), with all their descendants and the other members of their sessions,
/// without this process and its ancestors. Finds what a dead executor left behind.
std::vector<pid_t> processes_with_environment(std::string_view entry);

/// The living processes of this user that are called `name` (comm, of proc(5)) and work
/// in `directory` or below.
std::vector<ProcessIdentity> processes_in(std::string_view name,
                                          const std::string &directory);

/// Sends TERM to `processes`, KILL to those left after `grace`, and waits until all are
/// gone; true if they are, false if one outlived KILL by five seconds. Processes are
/// pinned with pidfd_open before the first signal so that a reused pid is never hit.
bool end_processes(const std::vector<pid_t> &processes, std::chrono::milliseconds grace);

/// Lets other threads go before the calling one, as nice(1) does for processes; `by` from
/// 1 to 19. Where that is forbidden (seccomp) things stay as they are.
void yield_to_other_threads(int by) noexcept;

/// The path of this program's executable file's directory (where the sibling tools are).
std::string program_directory();

/// The name of this process's user; the number if there is no name.
std::string user_name();

/// 64 lower-case hexadecimal digits of randomness (256 bits, getrandom(2)).
std::string random_token();

} // namespace ap
