#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace ap {

/// The name (comm) of every keeper process from its first moment on.
inline constexpr const char *keeper_name = "ap-keeper";

/// What a keeper writes into its pipe, once, before it exits.
struct KeeperReport
{
    int wait_status = 0;
    int exec_errno = 0;
    int told_to_end = 0;
    int64_t cpu_ms = 0;
    int64_t max_rss_kib = 0;
};

/// Everything the keeper and the command's process need, prepared before the first fork,
/// so that between fork and exec nothing is allocated.
struct KeeperTask
{
    std::vector<std::string> candidates; ///< paths to try to execute, in order
    std::vector<char *> argv;            ///< ends with a null pointer
    std::vector<char *> environment;     ///< ends with a null pointer
    const char *directory = nullptr;
    int standard_input = -1;
    int standard_output = -1;
    int standard_error = -1;
    int report = -1;
    std::chrono::milliseconds grace{0};
    pid_t executor = 0;

    /// The signals a keeper lives by; all signals must be blocked when it is forked.
    sigset_t handled{};
};

/// The life of a keeper, called in the child of the fork. noexcept: an exception must end
/// this process, never get up into the executor's code that was forked along.
[[noreturn]] void run_keeper(KeeperTask &task) noexcept;

} // namespace ap
