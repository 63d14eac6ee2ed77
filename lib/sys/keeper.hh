#pragma once

#include "sys/fd.hh"
#include "sys/keeper_process.hh"

#include <chrono>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace ap {

/// A command to run under a Keeper.
struct KeptCommand
{
    std::vector<std::string> argv;         ///< looked up in PATH of `environment`
    std::vector<std::string> environment;  ///< whole environment, "NAME=value"
    std::string directory;                 ///< working directory; must exist
    Fd standard_input;                     ///< none: /dev/null
    Fd standard_output;                    ///< write end; required
    Fd standard_error;                     ///< write end; required
    std::chrono::milliseconds grace{5000}; ///< between TERM and KILL

    /// The reading ends of its standard output and error, if those are pipes (borrowed;
    /// -1: none). Should the caller die, the keeper reads on, so that what the command
    /// prints while it is being ended neither kills nor stops it.
    int output_reader = -1;
    int error_reader = -1;

    /// A FIFO that the command's processes write to (borrowed; -1: none) and the spool
    /// file that its content is moved to when they have ended, so that the death of the
    /// caller does not lose it.
    int spooled_fifo = -1;
    std::string spool;
};

/// How a kept command ended.
struct KeptResult
{
    std::optional<int> exit_code; ///< it exited
    std::optional<int> signal;    ///< it was killed by a signal
    int exec_errno = 0;           ///< it could not be started: exec or chdir failed
    bool told_to_end = false;     ///< by the caller, or by a SIGTERM from outside
    bool keeper_lost = false;     ///< the keeper itself died; what it kept was ended here
    int64_t cpu_ms = 0;           ///< of the command and what it waited for
    int64_t max_rss_kib = 0;
};

/// A small process between an executor and its commands, forked from the executor; it
/// keeps one command after another. It is the command's subreaper, so every process the
/// command leaves, double forks and new sessions included, becomes its child; when the
/// command has ended it ends them all (TERM, after `grace` KILL, repeated until none is
/// left) and only then reports. If the executor dies, their socket tells the keeper to do
/// the same. The command runs in a session and process group of its own, without a
/// controlling terminal, with default signal dispositions and an empty mask. The executor
/// must be single-threaded and itself a subreaper (become_subreaper), which covers a
/// keeper that is killed.
///
/// That one keeper serves many commands makes them cheap to start: the executor, with its
/// database's pages in memory, is not forked for each of them.
class Keeper
{
public:
    /// Forks the keeper; throws SystemError if that fails.
    Keeper();
    Keeper(Keeper &&other) noexcept;
    Keeper &operator=(Keeper &&other) noexcept;
    Keeper(const Keeper &) = delete;
    Keeper &operator=(const Keeper &) = delete;

    /// Kills (at once) and reaps what still runs.
    ~Keeper();

    /// Starts a command; none may be running. The descriptors in `command` are closed in
    /// the caller. A keeper that died meanwhile is replaced. Throws SystemError if it
    /// cannot be reached.
    void start(KeptCommand command);

    /// Readable when the result is there or the keeper is dead: then call finish().
    int fd() const noexcept { return channel_.get(); }
    pid_t pid() const noexcept { return pid_; }

    /// Ends the command and all it started: TERM now, KILL after the grace period. Does
    /// nothing after finish().
    void terminate() noexcept;

    /// Ends them with KILL now.
    void kill() noexcept;

    /// Waits for the report. Once for each start.
    KeptResult finish();

private:
    void fork_process();
    bool send_start(const KeptCommand &command) const;
    void order(KeeperOrder::Kind kind) noexcept;
    void dismiss() noexcept;

    Fd channel_;
    pid_t pid_ = -1;
    bool busy_ = false;
};

/// Makes this process adopt the orphans among its descendants (PR_SET_CHILD_SUBREAPER).
void become_subreaper();

} // namespace ap
