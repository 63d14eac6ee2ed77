#include "sys/command.hh"

#include "base/error.hh"
#include "sys/keeper.hh"
#include "sys/poll_loop.hh"
#include "sys/signals.hh"

#include <algorithm>
#include <array>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace ap {

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

// Text of which the beginning and the end are kept.
class BoundedText
{
public:
    explicit BoundedText(size_t limit)
        : head_limit_(limit / 4)
        , tail_limit_(limit - limit / 4)
    {
    }

    void add(std::string_view piece)
    {
        const size_t room = head_limit_ - std::min(head_limit_, head_.size());
        head_.append(piece.substr(0, room));
        tail_.append(piece.substr(std::min(room, piece.size())));
        if (tail_.size() > 2 * tail_limit_) {
            drop();
        }
    }

    std::string text()
    {
        if (tail_.size() > tail_limit_) {
            drop();
        }
        if (dropped_ > 0) {
            head_ += "\n[... " + std::to_string(dropped_) + " bytes dropped ...]\n";
        }
        return head_ + tail_;
    }

private:
    void drop()
    {
        dropped_ += tail_.size() - tail_limit_;
        tail_.erase(0, tail_.size() - tail_limit_);
    }

    size_t head_limit_;
    size_t tail_limit_;
    size_t dropped_ = 0;
    std::string head_;
    std::string tail_;
};

std::vector<std::string> whole_environment(const Command &command)
{
    const auto &more = command.environment;
    const auto &withheld = command.withheld;
    std::vector<std::string> entries;
    for (char **entry = environ; *entry != nullptr; entry++) {
        const std::string_view old = *entry;
        const std::string_view name = old.substr(0, old.find('='));
        const bool is_replaced =
            std::any_of(more.begin(), more.end(), [&](const std::string &set) {
                return std::string_view(set).substr(0, set.find('=')) == name;
            });
        if (!is_replaced &&
            std::find(withheld.begin(), withheld.end(), name) == withheld.end()) {
            entries.emplace_back(old);
        }
    }
    entries.insert(entries.end(), more.begin(), more.end());
    return entries;
}

class Running
{
public:
    explicit Running(const Command &command)
        : command_(command)
        , signals_({SIGINT, SIGTERM, SIGHUP, SIGQUIT})
        , output_(command.output_limit)
        , error_(command.output_limit)
    {
        Pipe out = make_pipe();
        Pipe err = command.merge_error ? Pipe() : make_pipe();
        KeptCommand kept;
        kept.argv = command.argv;
        kept.environment = whole_environment(command);
        kept.directory = command.directory;
        kept.grace = command.grace;
        kept.standard_error =
            command.merge_error ? duplicate(out.write) : std::move(err.write);
        kept.standard_output = std::move(out.write);
        watch(std::move(out.read), output_, "the command's output");
        if (err.read) {
            watch(std::move(err.read), error_, "the command's errors");
        }
        loop_.add(keeper_.fd(), [this] { finish(); });
        loop_.add(signals_.fd(), [this] { interrupt(); });
        started_ = last_output_ = Clock::now();
        keeper_.start(std::move(kept));
    }

    CommandResult run()
    {
        while (!kept_ || open_ > 0) {
            const auto deadline = next_deadline();
            if (deadline && Clock::now() >= *deadline) {
                time_out();
                continue;
            }
            loop_.run_once(deadline ? std::optional(std::chrono::ceil<Milliseconds>(
                                          *deadline - Clock::now()))
                                    : std::nullopt);
        }
        if (interrupted_) {
            throw Error(ExitStatus::Aborted, "interrupted");
        }
        return result();
    }

private:
    static Fd duplicate(const Fd &fd)
    {
        Fd copy(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
        if (!copy) {
            throw_errno("cannot duplicate a descriptor");
        }
        return copy;
    }

    void watch(Fd fd, BoundedText &text, const char *what)
    {
        set_nonblocking(fd.get());
        const int number = fd.get();
        descriptors_.push_back(std::move(fd));
        open_++;
        loop_.add(number, [this, number, &text, what] { read(number, text, what); });
    }

    void read(int fd, BoundedText &text, const char *what)
    {
        std::array<char, 65536> buffer{};
        const ssize_t count = read_some(fd, buffer.data(), buffer.size(), what);
        if (count == 0) {
            loop_.remove(fd);
            open_--;
        } else if (count > 0) {
            text.add({buffer.data(), static_cast<size_t>(count)});
            last_output_ = Clock::now();
        }
    }

    void finish()
    {
        loop_.remove(keeper_.fd());
        kept_ = keeper_.finish();
        ended_ = Clock::now();
    }

    void interrupt()
    {
        while (signals_.next()) {
            interrupted_ = true;
        }
        if (!kept_) {
            keeper_.terminate();
        }
    }

    std::optional<Clock::time_point> next_deadline() const
    {
        std::optional<Clock::time_point> deadline;
        if (kept_ || expired_) {
            return deadline;
        }
        if (command_.timeout) {
            deadline = started_ + *command_.timeout;
        }
        if (command_.idle_timeout) {
            const auto idle = last_output_ + *command_.idle_timeout;
            deadline = deadline ? std::min(*deadline, idle) : idle;
        }
        return deadline;
    }

    void time_out()
    {
        const bool whole =
            command_.timeout && Clock::now() >= started_ + *command_.timeout;
        expired_ = whole ? CommandEnd::TimedOut : CommandEnd::Idle;
        keeper_.terminate();
    }

    CommandResult result()
    {
        CommandResult result;
        result.output = output_.text();
        result.error = error_.text();
        result.took = std::chrono::duration_cast<Milliseconds>(ended_ - started_);
        if (kept_->exec_errno != 0) {
            result.end = CommandEnd::NotStarted;
            result.status = kept_->exec_errno;
        } else if (expired_) {
            result.end = *expired_;
            result.status = kept_->signal.value_or(0);
        } else if (kept_->exit_code) {
            result.status = *kept_->exit_code;
        } else {
            result.end = CommandEnd::Killed;
            result.status = kept_->signal.value_or(SIGKILL);
        }
        return result;
    }

    const Command &command_;
    SignalFd signals_;
    BoundedText output_;
    BoundedText error_;
    PollLoop loop_;
    Keeper keeper_;
    std::vector<Fd> descriptors_;
    int open_ = 0;
    Clock::time_point started_;
    Clock::time_point last_output_;
    Clock::time_point ended_;
    std::optional<KeptResult> kept_;
    std::optional<CommandEnd> expired_;
    bool interrupted_ = false;
};

} // namespace

std::string CommandResult::text() const
{
    switch (end) {
    case CommandEnd::Exited:
        return "exited with status " + std::to_string(status);
    case CommandEnd::Killed:
        return "was killed by signal " + std::to_string(status);
    case CommandEnd::NotStarted:
        return std::string("could not be started: ") + std::strerror(status);
    case CommandEnd::TimedOut:
        return "timed out";
    case CommandEnd::Idle:
        return "timed out without output";
    }
    return "";
}

CommandResult run_command(const Command &command)
{
    become_subreaper();
    return Running(command).run();
}

} // namespace ap
