#include "domain/job_files.hh"

#include "sys/path.hh"
#include "wrap/json.hh"

#include <algorithm>
#include <array>

namespace ap {

namespace {

constexpr size_t longest_order = 64 << 20;
constexpr size_t longest_state = 1 << 20;

constexpr auto stages =
    std::to_array<std::string_view>({"given up", "running", "checking", "ended"});

constexpr AttemptStatus statuses[] = {
    AttemptStatus::Succeeded,    AttemptStatus::Failed,          AttemptStatus::TimedOut,
    AttemptStatus::IdleTimedOut, AttemptStatus::BudgetExhausted, AttemptStatus::Aborted,
    AttemptStatus::Interrupted};

std::string order_path(const std::string &directory)
{
    return join_path(directory, "job.secret");
}

std::string state_path(const std::string &directory)
{
    return join_path(directory, "job.json");
}

[[noreturn]] void refuse(const std::string &path, const std::string &what)
{
    throw Error(ExitStatus::BadData, "'" + path + "': expected " + what);
}

std::string text_of(const Json &json, std::string_view name, const std::string &path)
{
    const auto value = json.get_string(name);
    if (!value) {
        refuse(path, "a string \"" + std::string(name) + "\"");
    }
    return *value;
}

int64_t number_of(const Json &json, std::string_view name, const std::string &path)
{
    const auto value = json.get_integer(name);
    if (!value) {
        refuse(path, "a number \"" + std::string(name) + "\"");
    }
    return *value;
}

Json lease_to_json(const Lease &lease)
{
    Json json = Json::object();
    json.set("run_id", lease.run_id)
        .set("attempt_id", lease.attempt_id)
        .set("number", lease.number)
        .set("failures", lease.failures)
        .set("token", lease.token)
        .set("started_at", lease.started_at)
        .set("phase", phase_spec_to_json(lease.phase));
    if (lease.gate) {
        json.set("gate", Json::object()
                             .set("url", lease.gate->url)
                             .set("key", lease.gate->key)
                             .set("ca_file", lease.gate->ca_file));
    }
    return json;
}

Lease lease_from_json(const Json &json, const std::string &path)
{
    Lease lease;
    lease.run_id = text_of(json, "run_id", path);
    lease.attempt_id = number_of(json, "attempt_id", path);
    lease.number = number_of(json, "number", path);
    lease.failures = number_of(json, "failures", path);
    lease.token = text_of(json, "token", path);
    lease.started_at = number_of(json, "started_at", path);
    lease.phase = phase_spec_from_json(json.get("phase").dump());
    if (const Json gate = json.get("gate")) {
        lease.gate = {text_of(gate, "url", path), text_of(gate, "key", path),
                      text_of(gate, "ca_file", path)};
    }
    return lease;
}

Json state_to_json(const JobState &state)
{
    Json json = Json::object();
    json.set("state", stages.at(static_cast<size_t>(state.stage)))
        .set("job_id", state.job_id)
        .set("node", state.node);
    if (state.stage == JobState::Stage::Ended) {
        const AttemptOutcome &outcome = state.outcome;
        json.set("status", attempt_status_name(outcome.status))
            .set("reason", outcome.reason)
            .set("exit_code", outcome.exit_code)
            .set("signal", outcome.signal)
            .set("duration_ms", outcome.duration_ms)
            .set("cpu_ms", outcome.cpu_ms)
            .set("max_rss_kib", outcome.max_rss_kib);
    }
    return json;
}

std::optional<int> small_number(const Json &json, std::string_view name)
{
    const auto value = json.get_integer(name);
    return value ? std::optional(static_cast<int>(*value)) : std::nullopt;
}

AttemptOutcome outcome_from_json(const Json &json, const std::string &path)
{
    const std::string status = text_of(json, "status", path);
    const auto *found =
        std::find_if(std::begin(statuses), std::end(statuses),
                     [&](auto known) { return attempt_status_name(known) == status; });
    if (found == std::end(statuses)) {
        refuse(path, "the status of an attempt");
    }
    AttemptOutcome outcome;
    outcome.status = *found;
    outcome.reason = text_of(json, "reason", path);
    outcome.exit_code = small_number(json, "exit_code");
    outcome.signal = small_number(json, "signal");
    outcome.duration_ms = number_of(json, "duration_ms", path);
    outcome.cpu_ms = number_of(json, "cpu_ms", path);
    outcome.max_rss_kib = number_of(json, "max_rss_kib", path);
    return outcome;
}

} // namespace

void write_job_order(const JobOrder &order)
{
    Json environment = Json::array();
    for (const std::string &entry : order.environment) {
        environment.append(Json::string(entry));
    }
    const Lease &lease = order.lease;
    const std::string directory =
        order.paths.attempt_directory(lease.run_id, lease.phase.id, lease.number);
    write_file_atomically(order_path(directory),
                          Json::object()
                              .set("lease", lease_to_json(lease))
                              .set("database", order.paths.database)
                              .set("runs", order.paths.runs)
                              .set("directory", order.paths.directory)
                              .set("output_limit", order.output_limit)
                              .set("boot_id", order.boot_id)
                              .set("environment", environment)
                              .dump(),
                          0600);
}

JobOrder read_job_order(const std::string &directory)
{
    const std::string path = order_path(directory);
    const Json json = Json::parse(read_file(path, longest_order), path);
    JobOrder order;
    order.lease = lease_from_json(json.get("lease"), path);
    order.paths = {text_of(json, "database", path), text_of(json, "runs", path),
                   text_of(json, "directory", path)};
    order.output_limit = number_of(json, "output_limit", path);
    order.boot_id = text_of(json, "boot_id", path);
    const Json environment = json.get("environment");
    for (size_t i = 0; i < environment.size(); i++) {
        order.environment.push_back(environment.at(i).as_string());
    }
    return order;
}

void remove_job_order(const std::string &directory)
{
    remove_file(order_path(directory));
}

bool claim_job(const std::string &directory, const JobState &state)
{
    return create_file(state_path(directory), state_to_json(state).dump_pretty());
}

void write_job_state(const std::string &directory, const JobState &state)
{
    write_file_atomically(state_path(directory), state_to_json(state).dump_pretty());
}

std::optional<JobState> read_job_state(const std::string &directory)
{
    const std::string path = state_path(directory);
    std::string text;
    try {
        text = read_file(path, longest_state);
    } catch (const SystemError &error) {
        if (error.status() == ExitStatus::NoInput) {
            return std::nullopt;
        }
        throw;
    }
    const Json json = Json::parse(text, path);
    const std::string stage = text_of(json, "state", path);
    const auto *found = std::find(stages.begin(), stages.end(), stage);
    if (found == stages.end()) {
        refuse(path, "the state of a job");
    }
    JobState state;
    state.stage = static_cast<JobState::Stage>(found - stages.begin());
    state.job_id = text_of(json, "job_id", path);
    state.node = text_of(json, "node", path);
    if (state.stage == JobState::Stage::Ended) {
        state.outcome = outcome_from_json(json, path);
    }
    return state;
}

void forget_job_state(const std::string &directory)
{
    remove_file(state_path(directory));
}

} // namespace ap
