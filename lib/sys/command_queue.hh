#pragma once

#include "base/clock.hh"
#include "sys/keeper.hh"
#include "sys/poll_loop.hh"

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace ap {

/// A command given to a CommandQueue, and once it has ended, how.
struct CommandRun
{
    std::vector<std::string> argv;
    bool ended = false;
    KeptResult result;  ///< of what has ended
    std::string output; ///< what it printed to standard output
    std::string error;  ///< to standard error

    bool succeeded() const noexcept { return ended && result.exit_code == 0; }
};

/// Runs short commands one after the other while a poll loop goes on, so that a slow
/// server behind them never holds the loop up. Each runs under a keeper, in the root
/// directory, and is ended with this object or its process.
class CommandQueue
{
public:
    /// `environment` is that of all commands. One that takes longer than `limit` is
    /// ended. `loop` and `clock` are kept by reference.
    CommandQueue(PollLoop &loop, const Clock &clock, std::vector<std::string> environment,
                 std::chrono::milliseconds limit);
    ~CommandQueue();
    CommandQueue(const CommandQueue &) = delete;
    CommandQueue &operator=(const CommandQueue &) = delete;

    /// Runs a command after those that wait. What cannot be executed ends at once, with
    /// result.exec_errno. Whoever has the answer looks into it again after every turn of
    /// the loop.
    std::shared_ptr<const CommandRun> run(std::vector<std::string> argv);

    /// Ends the command under way if it takes too long; to be called now and then.
    void check_time();

    bool is_idle() const noexcept { return waiting_.empty(); }

private:
    void start_first();
    void on_keeper();

    PollLoop &loop_;
    const Clock &clock_;
    std::vector<std::string> environment_;
    std::chrono::milliseconds limit_;
    Keeper keeper_;
    std::deque<std::shared_ptr<CommandRun>> waiting_; ///< the first is under way
    Fd output_;
    Fd error_;
    std::chrono::milliseconds started_{0};
};

} // namespace ap
