#include "domain/slurm.hh"

#include "base/text.hh"
#include "sys/path.hh"

#include <algorithm>
#include <cstdlib>
#include <unistd.h>

namespace ap {

namespace {

using std::chrono::minutes;

constexpr std::string_view name_prefix = "autopack:";

// Neither SLURM_JOB_ID and its like, should this process be in a job itself, nor
// SBATCH_ARRAY_INX and others that would make another job of it.
constexpr const char *passed_variables[] = {"HOME",
                                            "LANG",
                                            "LOGNAME",
                                            "PATH",
                                            "SBATCH_ACCOUNT",
                                            "SBATCH_QOS",
                                            "SBATCH_CONSTRAINT",
                                            "SBATCH_PARTITION",
                                            "SHELL",
                                            "SLURM_CONF",
                                            "SBATCH_RESERVATION",
                                            "SLURM_CLUSTERS",
                                            "TZ",
                                            "USER"};

// From JOB STATE CODES of squeue(1).
constexpr std::string_view final_states[] = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE",      "FAILED",
    "NODE_FAIL", "PREEMPTED", "REVOKED",   "OUT_OF_MEMORY", "TIMEOUT"};

constexpr std::string_view unreachable[] = {
    "Unable to contact slurm controller", "Socket timed out",   "temporarily unable",
    "Zero Bytes were transmitted",        "Connection refused", "Connection reset",
    "Slurm backup controller in standby"};

// As the job's shell reads it back.
std::string quoted(std::string_view text)
{
    std::string result = "'";
    for (const char c : text) {
        result += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return result + "'";
}

// sbatch replaces %j and its like in file names.
std::string as_file_pattern(std::string_view path)
{
    std::string result;
    for (const char c : path) {
        result.append(c == '%' ? 2 : 1, c);
    }
    return result;
}

// In minutes, which is how exactly Slurm counts; the job itself keeps to the phase's
// timeout, so this is for one that cannot any more.
std::string time_limit(const PhaseSpec &phase)
{
    const auto needed = std::chrono::ceil<minutes>(phase.timeout + phase.grace);
    return std::to_string((needed + minutes(1)).count());
}

} // namespace

std::vector<std::string> slurm_environment()
{
    std::vector<std::string> environment;
    for (const char *name : passed_variables) {
        if (const char *value = std::getenv(name)) {
            environment.push_back(std::string(name) + "=" + value);
        }
    }
    return environment;
}

std::vector<std::string> sbatch_call(const BatchJob &job, const std::string &directory,
                                     std::string_view program_directory)
{
    const PhaseSpec &phase = job.lease.phase;
    const std::string log = as_file_pattern(join_path(directory, "job.log"));
    std::vector<std::string> call = {"sbatch",
                                     "--parsable",
                                     "--export=ALL",
                                     "--no-requeue",
                                     "--nodes=1",
                                     "--ntasks=1",
                                     "--open-mode=append",
                                     "--job-name=" + job.name,
                                     "--chdir=/",
                                     "--output=" + log,
                                     "--error=" + log,
                                     "--time=" + time_limit(phase)};
    const SlurmRequest &request = phase.slurm;
    const auto add = [&call](std::string_view option, const std::string &value) {
        if (!value.empty()) {
            call.push_back("--" + std::string(option) + "=" + value);
        }
    };
    add("partition", request.partition);
    add("account", request.account);
    add("qos", request.qos);
    add("reservation", request.reservation);
    add("constraint", request.constraint);
    add("gres", request.gres);
    add("mem", request.mem);
    add("cpus-per-task", request.cpus ? std::to_string(*request.cpus) : "");
    call.push_back("--wrap=exec " + quoted(join_path(program_directory, "ap-job")) + " " +
                   quoted(directory));
    return call;
}

std::optional<std::string> submitted_job(std::string_view output)
{
    // "ID" or "ID;CLUSTER"
    const std::string_view id = trim(output.substr(0, output.find(';')));
    return parse_integer(id, 1, INT64_MAX) ? std::optional(std::string(id))
                                           : std::nullopt;
}

bool is_unreachable(std::string_view complaint)
{
    return std::any_of(std::begin(unreachable), std::end(unreachable), [&](auto text) {
        return complaint.find(text) != std::string_view::npos;
    });
}

std::vector<std::string> squeue_call()
{
    return {"squeue", "--noheader", "--states=all", "--user=" + std::to_string(geteuid()),
            "--format=%i|%T|%j|%r"};
}

std::vector<SlurmJob> read_squeue(std::string_view output)
{
    std::vector<SlurmJob> jobs;
    for (const std::string_view line : split(output, '\n')) {
        const auto parts = split(line, '|');
        if (parts.size() >= 4 && parts[2].starts_with(name_prefix)) {
            jobs.push_back({std::string(trim(parts[0])), std::string(parts[1]),
                            std::string(parts[2]), std::string(trim(parts[3]))});
        }
    }
    return jobs;
}

std::vector<std::string> scancel_call(const BatchJob &job, std::string_view signal)
{
    std::vector<std::string> call = {"scancel"};
    if (!signal.empty()) {
        call.insert(call.end(), {"--batch", "--signal=" + std::string(signal)});
    }
    call.push_back(job.job_id ? *job.job_id : "--name=" + job.name);
    return call;
}

bool is_over(const SlurmJob &job)
{
    return std::find(std::begin(final_states), std::end(final_states), job.state) !=
           std::end(final_states);
}

SlurmVerdict verdict_of(const SlurmJob &job)
{
    const std::string why =
        job.reason.empty() || job.reason == "None" ? "" : " (" + job.reason + ")";
    const std::string id = "Slurm job " + job.id;
    if (job.state == "TIMEOUT" || job.state == "DEADLINE") {
        return {AttemptStatus::TimedOut, id + " reached its time limit" + why};
    }
    if (job.state == "OUT_OF_MEMORY") {
        return {AttemptStatus::Failed, id + " ran out of memory" + why};
    }
    if (job.state == "CANCELLED") {
        return {AttemptStatus::Failed, id + " was cancelled" + why};
    }
    if (job.state == "NODE_FAIL" || job.state == "BOOT_FAIL") {
        return {AttemptStatus::Interrupted, id + " lost its node" + why};
    }
    if (job.state == "PREEMPTED") {
        return {AttemptStatus::Interrupted, id + " was preempted" + why};
    }
    return {AttemptStatus::Interrupted,
            id + " ended without a result, as " + job.state + why};
}

} // namespace ap
