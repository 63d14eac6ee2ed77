#include "domain/running_phase.hh"

#include "base/text.hh"
#include "domain/build_verdict.hh"
#include "sys/path.hh"

#include <algorithm>
#include <array>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>

namespace ap {

namespace {

constexpr size_t read_size = 65536;

// One handler call reads this much at the most, so that a child that prints without end
// does not keep the executor from its other phases and controls.
constexpr int reads_per_turn = 16;

Fd text_as_file(std::string_view text)
{
    Fd file(memfd_create("stdin", MFD_CLOEXEC));
    if (!file) {
        throw_errno("cannot make a file for standard input");
    }
    write_all(file.get(), text, "standard input of a phase");
    if (lseek(file.get(), 0, SEEK_SET) != 0) {
        throw_errno("cannot rewind standard input of a phase");
    }
    return file;
}

// What goes through the gateway is counted there, to the token; the agent's own account
// of the same calls must not be added to that.
std::unique_ptr<AgentUsageReader> reader_for(const Lease &lease)
{
    return lease.gate ? nullptr : make_usage_reader(lease.phase.agent);
}

std::string describe(const KeptResult &result, const std::string &command)
{
    if (result.exec_errno != 0) {
        return "cannot execute '" + printable(command) +
               "': " + std::generic_category().message(result.exec_errno);
    }
    if (result.signal) {
        const char *name = sigabbrev_np(*result.signal);
        return "killed by signal " + std::to_string(*result.signal) +
               (name == nullptr ? std::string() : " (SIG" + std::string(name) + ")");
    }
    return "exit status " + std::to_string(result.exit_code.value_or(-1));
}

} // namespace

RunningPhase::RunningPhase(Lease lease, PhaseSlots &slots, const StatePaths &paths,
                           PollLoop &loop, const Clock &clock, int64_t output_limit)
    : LaunchedPhase(std::move(lease), PhaseUsage(reader_for(lease)))
    , paths_(paths)
    , loop_(loop)
    , clock_(clock)
    , output_limit_(output_limit)
    , slots_(slots)
    , slot_(slots.take())
    , directory_(paths.attempt_directory(lease_.run_id, lease_.phase.id, lease_.number))
    , usage_files_(usage_files(directory_))
    , started_(clock.monotonic())
    , last_output_(started_)
{
    make_directories(directory_, 0700);
    // Of a deleted run of the same name.
    remove_file(usage_files_.spool);
    remove_file(verdict_path(directory_));
    const FifoSpool &fifo = slot_->move_fifo(usage_files_.fifo, usage_files_.spool);
    loop_.add(fifo.fd(), [this] { read_usage(false); });
    start_command();
}

RunningPhase::~RunningPhase()
{
    close_capture(standard_output_);
    close_capture(standard_error_);
    if (ended()) {
        slots_.give(std::move(slot_));
    } else {
        loop_.remove(slot_->keeper().fd());
        loop_.remove(slot_->fifo().fd());
    }
}

void RunningPhase::start_command()
{
    Fd input;
    try {
        input = open_standard_input();
    } catch (const SystemError &error) {
        finish(AttemptStatus::Failed, std::string("stdin: ") + error.what());
        return;
    }
    PreparedCommand ready;
    try {
        ready = prepare_command(lease_, paths_, usage_files_.fifo);
    } catch (const Error &error) {
        if (error.status() != ExitStatus::Config) {
            throw;
        }
        finish(AttemptStatus::Failed, error.what());
        return;
    }
    start(std::move(ready), std::move(input), "");
}

Fd RunningPhase::open_standard_input() const
{
    if (lease_.phase.stdin_text) {
        return text_as_file(*lease_.phase.stdin_text);
    }
    if (lease_.phase.stdin_file) {
        return open_file(join_path(work_directory(), *lease_.phase.stdin_file), O_RDONLY);
    }
    return {};
}

std::string RunningPhase::work_directory() const
{
    return lease_.phase.cwd.empty() ? paths_.directory
                                    : join_path(paths_.directory, lease_.phase.cwd);
}

Fd RunningPhase::open_capture(Capture &capture, const std::string &log_name)
{
    Pipe pipe = make_pipe();
    set_nonblocking(pipe.read.get());
    capture.log =
        std::make_unique<CappedLog>(join_path(directory_, log_name), output_limit_);
    capture.pipe = std::move(pipe.read);
    return std::move(pipe.write);
}

void RunningPhase::start(PreparedCommand ready, Fd standard_input,
                         const std::string &log_prefix)
{
    KeptCommand kept;
    kept.argv = std::move(ready.command.argv);
    kept.environment = std::move(ready.environment);
    kept.directory = work_directory();
    kept.standard_input = std::move(standard_input);
    kept.standard_output = open_capture(standard_output_, log_prefix + "stdout");
    kept.standard_error = open_capture(standard_error_, log_prefix + "stderr");
    kept.output_reader = standard_output_.pipe.get();
    kept.error_reader = standard_error_.pipe.get();
    kept.grace = lease_.phase.grace;
    kept.spooled_fifo = slot_->fifo().fd();
    kept.spool = usage_files_.spool;
    slot_->keeper().start(std::move(kept));
    is_kept_ = true;
    const bool is_command = stage_ == Stage::Command;
    loop_.add(standard_output_.pipe.get(), [this, is_command] {
        if (!read_capture(standard_output_, is_command)) {
            close_capture(standard_output_);
        }
    });
    loop_.add(standard_error_.pipe.get(), [this] {
        if (!read_capture(standard_error_, false)) {
            close_capture(standard_error_);
        }
    });
    loop_.add(slot_->keeper().fd(), [this] { on_keeper(); });
    last_output_ = clock_.monotonic();
}

// Reads what is there, within reason; false at the end of the output.
bool RunningPhase::read_capture(Capture &capture, bool is_command_stdout)
{
    std::array<char, read_size> buffer;
    for (int i = 0; i < reads_per_turn; i++) {
        const ssize_t count = read_some(capture.pipe.get(), buffer.data(), buffer.size(),
                                        "a phase's output");
        if (count <= 0) {
            return count < 0;
        }
        const std::string_view piece(buffer.data(), static_cast<size_t>(count));
        last_output_ = clock_.monotonic();
        capture.log->append(piece);
        if (is_command_stdout) {
            usage_.read_output(piece);
        }
    }
    return true;
}

// The command and all it started are gone: what is in the pipe now is all there will be,
// unless the write end was handed to a process outside, which is not waited for.
void RunningPhase::drain(Capture &capture, bool is_command_stdout)
{
    if (!capture.pipe) {
        return;
    }
    const int most = 1 + (fcntl(capture.pipe.get(), F_GETPIPE_SZ) /
                          static_cast<int>(read_size * reads_per_turn));
    for (int i = 0; i < most && read_capture(capture, is_command_stdout); i++) {
    }
    close_capture(capture);
}

void RunningPhase::close_capture(Capture &capture)
{
    if (capture.pipe) {
        loop_.remove(capture.pipe.get());
        capture.pipe.reset();
    }
}

void RunningPhase::read_usage(bool last)
{
    if (usage_.read_fifo(slot_->fifo(), last)) {
        last_output_ = clock_.monotonic();
    }
}

void RunningPhase::on_keeper()
{
    const bool was_command = stage_ == Stage::Command;
    Keeper &keeper = slot_->keeper();
    loop_.remove(keeper.fd());
    const KeptResult result = keeper.finish();
    is_kept_ = false;
    drain(standard_output_, was_command);
    drain(standard_error_, false);
    read_usage(false);
    if (was_command) {
        usage_.end_output();
    }
    note_result(result);
}

void RunningPhase::note_result(const KeptResult &result)
{
    outcome_.cpu_ms += result.cpu_ms;
    outcome_.max_rss_kib = std::max(outcome_.max_rss_kib, result.max_rss_kib);
    const bool is_check = stage_ == Stage::Check;
    if (!is_check || result.exit_code != 0) {
        outcome_.exit_code = result.exit_code;
        outcome_.signal = result.signal;
    }
    if (ending_) {
        finish(*ending_, ending_reason_);
        return;
    }
    if (result.keeper_lost || result.told_to_end) {
        finish(AttemptStatus::Interrupted, "ended from outside");
        return;
    }
    const PlanCommand &command =
        is_check ? lease_.phase.checks.at(check_) : lease_.phase.command;
    if (result.exit_code != 0 && !is_check && lease_.phase.is_own_program()) {
        note_verdict(result);
        return;
    }
    if (result.exit_code != 0) {
        const std::string what =
            is_check ? "check " + std::to_string(check_ + 1) + ": " : std::string();
        finish(AttemptStatus::Failed, what + describe(result, command.argv.front()));
        return;
    }
    // What a build made is checked by ap-build, where it made it.
    if (!is_check && !lease_.phase.checks.empty() && !lease_.phase.build) {
        stage_ = Stage::CommandDone;
    } else if (is_check && check_ + 1 < lease_.phase.checks.size()) {
        check_++;
        start_checks();
    } else if (const std::string missing = missing_output(); !missing.empty()) {
        finish(AttemptStatus::Failed, "output '" + missing + "' was not made");
    } else {
        finish(AttemptStatus::Succeeded, "");
    }
}

void RunningPhase::start_checks()
{
    stage_ = Stage::Check;
    start(prepare_check(lease_, paths_, usage_files_.fifo, check_), {},
          "check-" + std::to_string(check_ + 1) + ".");
}

void RunningPhase::note_verdict(const KeptResult &result)
{
    const auto verdict = read_build_verdict(directory_);
    if (!verdict) {
        finish(AttemptStatus::Failed, describe(result, "ap-build"));
        return;
    }
    outcome_.next = verdict->next;
    outcome_.wait_until = verdict->until;
    const bool spent = result.exit_code == static_cast<int>(ExitStatus::BudgetExhausted);
    finish(verdict->next == PhaseNext::Wait ? AttemptStatus::Interrupted
           : spent                          ? AttemptStatus::BudgetExhausted
                                            : AttemptStatus::Failed,
           verdict->reason);
}

std::string RunningPhase::missing_output() const
{
    const auto &outputs = lease_.phase.outputs;
    const auto missing =
        std::find_if(outputs.begin(), outputs.end(), [&](const auto &name) {
            return !path_exists(join_path(work_directory(), name));
        });
    return missing == outputs.end() ? std::string() : *missing;
}

void RunningPhase::end(AttemptStatus status, std::string reason, bool at_once)
{
    if (stage_ == Stage::Ended) {
        return;
    }
    const bool first = !ending_;
    if (first) {
        ending_ = status;
        ending_reason_ = std::move(reason);
    }
    if (!is_kept_) {
        finish(*ending_, ending_reason_);
    } else if (at_once) {
        slot_->keeper().kill();
    } else if (first) {
        slot_->keeper().terminate();
    }
}

// ap-build holds models and checks to it, and is silent itself while those are not.
std::optional<RunningPhase::Milliseconds> RunningPhase::idle_limit() const
{
    return lease_.phase.build ? std::nullopt : lease_.phase.idle_timeout;
}

void RunningPhase::check_time()
{
    if (ending_ || stage_ == Stage::Ended) {
        return;
    }
    const Milliseconds now = clock_.monotonic();
    const PhaseSpec &phase = lease_.phase;
    if (now - started_ >= phase.timeout) {
        end(AttemptStatus::TimedOut, "timed out after " + format_duration(phase.timeout),
            false);
    } else if (const auto limit = idle_limit(); limit && now - last_output_ >= *limit) {
        end(AttemptStatus::IdleTimedOut, "no output for " + format_duration(*limit),
            false);
    }
}

RunningPhase::Milliseconds RunningPhase::next_deadline() const
{
    if (ending_) {
        return Milliseconds::max();
    }
    Milliseconds deadline = started_ + lease_.phase.timeout;
    if (const auto limit = idle_limit()) {
        deadline = std::min(deadline, last_output_ + *limit);
    }
    return deadline;
}

void RunningPhase::finish(AttemptStatus status, std::string reason)
{
    stage_ = Stage::Ended;
    fail(status, std::move(reason));
    outcome_.duration_ms = elapsed().count();
    read_usage(true);
    loop_.remove(slot_->fifo().fd());
}

void RunningPhase::forget_usage()
{
    if (usage_.taken_to() == 0) {
        return;
    }
    if (ended()) {
        remove_file(usage_files_.spool);
    } else {
        slot_->fifo().forget_before(usage_.taken_to());
    }
}

RunningPhase::Milliseconds RunningPhase::elapsed() const
{
    return clock_.monotonic() - started_;
}

} // namespace ap
