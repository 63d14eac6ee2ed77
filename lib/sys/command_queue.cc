#include "sys/command_queue.hh"

#include "base/error.hh"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace ap {

namespace {

constexpr size_t longest_output = 64 << 20;

// Files, not pipes: nobody has to read them while the command runs.
Fd memory_file()
{
    Fd file(memfd_create("output", MFD_CLOEXEC));
    if (!file) {
        throw_errno("cannot make a file for a command's output");
    }
    return file;
}

Fd duplicate(const Fd &file)
{
    Fd copy(fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
    if (!copy) {
        throw_errno("cannot duplicate a descriptor");
    }
    return copy;
}

std::string content(const Fd &file)
{
    if (lseek(file.get(), 0, SEEK_SET) != 0) {
        throw_errno("cannot rewind a command's output");
    }
    return read_all(file.get(), longest_output, "a command's output");
}

} // namespace

CommandQueue::CommandQueue(PollLoop &loop, const Clock &clock,
                           std::vector<std::string> environment,
                           std::chrono::milliseconds limit)
    : loop_(loop)
    , clock_(clock)
    , environment_(std::move(environment))
    , limit_(limit)
{
}

CommandQueue::~CommandQueue()
{
    if (!waiting_.empty()) {
        loop_.remove(keeper_.fd());
    }
}

std::shared_ptr<const CommandRun> CommandQueue::run(std::vector<std::string> argv)
{
    auto command = std::make_shared<CommandRun>();
    command->argv = std::move(argv);
    waiting_.push_back(command);
    if (waiting_.size() == 1) {
        start_first();
    }
    return command;
}

void CommandQueue::start_first()
{
    output_ = memory_file();
    error_ = memory_file();
    KeptCommand kept;
    kept.argv = waiting_.front()->argv;
    kept.environment = environment_;
    kept.directory = std::string("/");
    kept.standard_output = duplicate(output_);
    kept.standard_error = duplicate(error_);
    keeper_.start(std::move(kept));
    started_ = clock_.monotonic();
    loop_.add(keeper_.fd(), [this] { on_keeper(); });
}

void CommandQueue::on_keeper()
{
    loop_.remove(keeper_.fd());
    const std::shared_ptr<CommandRun> command = std::move(waiting_.front());
    waiting_.pop_front();
    command->result = keeper_.finish();
    command->output = content(output_);
    command->error = content(error_);
    command->ended = true;
    if (!waiting_.empty()) {
        start_first();
    }
}

void CommandQueue::check_time()
{
    if (!waiting_.empty() && clock_.monotonic() - started_ >= limit_) {
        keeper_.kill();
    }
}

} // namespace ap
