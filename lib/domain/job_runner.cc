#include "domain/job_runner.hh"

#include "domain/budget.hh"
#include "domain/job_files.hh"
#include "domain/running_phase.hh"
#include "sys/path.hh"
#include "sys/process.hh"
#include "sys/signals.hh"

#include <algorithm>
#include <array>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <map>
#include <unistd.h>

namespace ap {

namespace {

using namespace std::chrono_literals;

// What the batch system says to the job and no other machine can know.
constexpr std::string_view own_prefixes[] = {"SLURM_", "SLURMD_"};
constexpr std::string_view own_names[] = {"CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL",
                                          "HIP_VISIBLE_DEVICES",  "HOSTNAME",
                                          "ROCR_VISIBLE_DEVICES", "TMPDIR",
                                          "ZE_AFFINITY_MASK"};

bool is_of_this_machine(std::string_view entry)
{
    const std::string_view name = entry.substr(0, entry.find('='));
    return std::any_of(std::begin(own_prefixes), std::end(own_prefixes),
                       [&](auto prefix) { return name.starts_with(prefix); }) ||
           std::find(std::begin(own_names), std::end(own_names), name) !=
               std::end(own_names);
}

void set_variable(const std::string &entry)
{
    const size_t equals = entry.find('=');
    if (equals != std::string::npos && equals > 0 &&
        setenv(entry.substr(0, equals).c_str(), entry.c_str() + equals + 1, 1) != 0) {
        throw_errno("cannot set a variable");
    }
}

// The executor's environment, as if this were it, with what belongs to this machine.
void take_environment(const JobOrder &order)
{
    std::vector<std::string> own;
    for (char **entry = environ; entry != nullptr && *entry != nullptr; entry++) {
        if (is_of_this_machine(*entry)) {
            own.emplace_back(*entry);
        }
    }
    if (clearenv() != 0) {
        throw_errno("cannot clear the environment");
    }
    for (const std::string &entry : order.environment) {
        if (!is_of_this_machine(entry)) {
            set_variable(entry);
        }
    }
    std::for_each(own.begin(), own.end(), set_variable);
    if (ProcessIdentity::self().boot_id != order.boot_id) {
        // The log that SQLite shares between processes does not reach over a network.
        set_variable("AUTOPACK_REMOTE_STATE=1");
    }
}

std::string node_name()
{
    if (const char *name = std::getenv("SLURMD_NODENAME")) {
        return name;
    }
    std::array<char, HOST_NAME_MAX + 1> name{};
    if (gethostname(name.data(), name.size() - 1) != 0) {
        throw_errno("cannot tell this machine's name");
    }
    return name.data();
}

JobState own_state()
{
    const char *job_id = std::getenv("SLURM_JOB_ID");
    return {JobState::Stage::Running, job_id == nullptr ? "" : job_id, node_name(), {}};
}

class Job
{
public:
    Job(const JobOrder &order, std::string directory, JobState state, const Clock &clock)
        : directory_(std::move(directory))
        , state_(std::move(state))
        , clock_(clock)
        , phase_(order.lease, slots_, order.paths, loop_, clock, order.output_limit)
    {
        loop_.add(signals_.fd(), [this] { on_signal(); });
    }

    AttemptOutcome run()
    {
        while (!phase_.ended()) {
            phase_.check_time();
            if (phase_.wants_checks()) {
                state_.stage = JobState::Stage::Checking;
                write_job_state(directory_, state_);
                phase_.start_checks();
            }
            pass_usage_on();
            if (!phase_.ended()) {
                const auto wait = phase_.next_deadline() - clock_.monotonic();
                loop_.run_once(std::clamp<std::chrono::milliseconds>(wait, 0ms, 1h));
            }
        }
        pass_usage_on();
        state_.stage = JobState::Stage::Ended;
        state_.outcome = phase_.outcome();
        write_job_state(directory_, state_);
        return state_.outcome;
    }

private:
    void on_signal()
    {
        while (const auto signal = signals_.next()) {
            phase_.end(AttemptStatus::Interrupted, "ended from outside",
                       *signal == SIGINT);
        }
    }

    // What was found in the command's output; what came by the FIFO is in the spool
    // already.
    void pass_usage_on()
    {
        std::string lines;
        for (const PhaseUsage::Report &report : phase_.usage().take_reports()) {
            if (report.source == "stdout") {
                lines += usage_to_json(report.usage).dump() + "\n";
            }
        }
        if (!lines.empty()) {
            append_to_spool(usage_files(directory_).spool, lines);
        }
    }

    std::string directory_;
    JobState state_;
    const Clock &clock_;
    SignalFd signals_{SIGTERM, SIGINT};
    PollLoop loop_;
    PhaseSlots slots_;
    RunningPhase phase_;
};

} // namespace

ExitStatus run_job(const std::string &directory, const Clock &clock)
{
    const JobOrder order = read_job_order(directory);
    const JobState state = own_state();
    if (!claim_job(directory, state)) {
        throw Error(ExitStatus::TryAgain,
                    "'" + directory + "' is executed by another job or given up");
    }
    remove_job_order(directory);
    take_environment(order);
    become_subreaper();
    const AttemptOutcome outcome = Job(order, directory, state, clock).run();
    return outcome.status == AttemptStatus::Succeeded ? ExitStatus::Done
                                                      : ExitStatus::Failed;
}

} // namespace ap
