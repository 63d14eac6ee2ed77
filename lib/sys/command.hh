#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace ap {

/// A program to be run to its end, without a shell and without input.
struct Command
{
    std::vector<std::string> argv;        ///< looked up in PATH
    std::string directory = ".";          ///< working directory
    std::vector<std::string> environment; ///< "NAME=value" besides this process's
    std::vector<std::string> withheld;    ///< names of this process's that it gets not
    std::optional<std::chrono::milliseconds> timeout;      ///< for all of it
    std::optional<std::chrono::milliseconds> idle_timeout; ///< without any output
    std::chrono::milliseconds grace{5000};                 ///< between TERM and KILL
    size_t output_limit = size_t{16} << 20; ///< bytes kept of each stream: its first
                                            ///< quarter and its end
    bool merge_error = false; ///< standard error goes into the output, in its order
};

enum class CommandEnd { Exited, Killed, NotStarted, TimedOut, Idle };

/// How a command ended, and what it wrote.
struct CommandResult
{
    CommandEnd end = CommandEnd::Exited;
    int status = 0; ///< exit status, signal, or errno of a failed start
    std::string output;
    std::string error;
    std::chrono::milliseconds took{0};

    bool succeeded() const noexcept { return end == CommandEnd::Exited && status == 0; }

    /// "exited with status 2", "was killed by signal 9", "timed out", ...
    std::string text() const;
};

/// Runs a command under a Keeper, so that nothing it starts outlives it, and reads what
/// it writes. This process becomes a subreaper by it and must have one thread.
/// Interrupted by INT, TERM, HUP or QUIT it ends the command and throws Error(Aborted).
CommandResult run_command(const Command &command);

} // namespace ap
