#include "base/text.hh"
#include "domain/budget.hh"
#include "domain/build_spec.hh"
#include "domain/plan_positions.hh"
#include "domain/plan_reader.hh"

#include <algorithm>
#include <array>

namespace ap {

namespace {

using std::chrono::milliseconds;

constexpr auto agents =
    std::to_array<std::string_view>({"none", "claude", "codex", "opencode", "custom"});

constexpr auto gateway_uses = std::to_array<std::string_view>({"command", "all", "none"});

constexpr auto members_of_phase = std::to_array<std::string_view>({"acceptance",
                                                                   "agent",
                                                                   "agent_template",
                                                                   "approval",
                                                                   "approval_timeout",
                                                                   "backoff",
                                                                   "breaker",
                                                                   "category",
                                                                   "check",
                                                                   "check_retries",
                                                                   "command",
                                                                   "complexity",
                                                                   "context_tokens",
                                                                   "cost_cap_usd",
                                                                   "cwd",
                                                                   "depends_on",
                                                                   "env",
                                                                   "gateway",
                                                                   "goal",
                                                                   "grace",
                                                                   "id",
                                                                   "idle_timeout",
                                                                   "known_failures",
                                                                   "launcher",
                                                                   "max_attempts",
                                                                   "max_interruptions",
                                                                   "merge",
                                                                   "models",
                                                                   "name",
                                                                   "on_stuck",
                                                                   "outputs",
                                                                   "pass_env",
                                                                   "read_only",
                                                                   "risk_limit",
                                                                   "scope",
                                                                   "slurm",
                                                                   "stdin",
                                                                   "timeout",
                                                                   "token_cap",
                                                                   "type"});

constexpr auto members_of_backoff =
    std::to_array<std::string_view>({"first", "longest", "factor", "jitter"});

constexpr auto members_of_stdin = std::to_array<std::string_view>({"file"});

// What the executor sets for every command; a plan's value would be lost without a word.
constexpr auto reserved_variables = std::to_array<std::string_view>(
    {"AUTOPACK_RUN_ID", "AUTOPACK_PHASE_ID", "AUTOPACK_ATTEMPT", "AUTOPACK_LEASE",
     "AUTOPACK_USAGE_FIFO", "AUTOPACK_DB", "AUTOPACK_RUNS_DIR"});

constexpr double largest_factor = 100;

bool is_variable_name(std::string_view name)
{
    return !name.empty() && name.find('=') == std::string_view::npos;
}

bool stays_below(std::string_view path)
{
    const auto pieces = split(path, '/');
    return !path.empty() && path.front() != '/' &&
           std::find(pieces.begin(), pieces.end(), "..") == pieces.end();
}

bool is_shell_vector(const std::vector<std::string> &argv)
{
    return argv.size() == 3 && argv[0] == "sh" && argv[1] == "-c";
}

bool is_vector_of_strings(const Json &value)
{
    for (size_t i = 0; i < value.size(); i++) {
        if (!value.at(i).is_string()) {
            return false;
        }
    }
    return value.is_array() && value.size() > 0;
}

PlanCommand read_argv(const Json &value, const std::string &pointer, PlanFaults &faults)
{
    PlanCommand command;
    for (size_t i = 0; i < value.size(); i++) {
        const Json word = value.at(i);
        if (!word.is_string() || (i == 0 && word.as_string().empty())) {
            faults.expected(json_pointer(pointer, i),
                            i == 0 ? "the name of a program" : "a string", word);
            continue;
        }
        command.argv.push_back(word.as_string());
    }
    command.is_shell = is_shell_vector(command.argv);
    return command;
}

PlanCommand read_command(const Json &value, const std::string &pointer,
                         PlanFaults &faults)
{
    if (value.is_array() && value.size() > 0) {
        return read_argv(value, pointer, faults);
    }
    if (value.is_string() && !trim(value.as_string()).empty()) {
        return {{"sh", "-c", value.as_string()}, true};
    }
    if (value.is_array()) {
        faults.add(pointer, "expected a command, got an empty array");
    } else {
        faults.expected(pointer, "a shell command or an array of its words", value);
    }
    return {};
}

// One command or several: an array of nothing but strings is the words of one.
std::vector<PlanCommand> read_checks(const Json &value, const std::string &pointer,
                                     PlanFaults &faults)
{
    if (!value.is_array() || value.size() == 0 || is_vector_of_strings(value)) {
        return {read_command(value, pointer, faults)};
    }
    std::vector<PlanCommand> checks;
    for (size_t i = 0; i < value.size(); i++) {
        checks.push_back(read_command(value.at(i), json_pointer(pointer, i), faults));
    }
    return checks;
}

void read_environment(ObjectReader &reader, PhaseSpec &phase)
{
    const Json variables = reader.get("env");
    const std::string pointer = reader.pointer_to("env");
    PlanFaults &faults = reader.faults();
    if (variables && !variables.is_object()) {
        faults.expected(pointer, "an object of names and strings", variables);
        return;
    }
    for (const std::string &name : variables.keys()) {
        const Json value = variables.get(name);
        const std::string at = json_pointer(pointer, name);
        if (!is_variable_name(name)) {
            faults.expected(at, "a variable name without '='", Json::string(name));
        } else if (std::find(reserved_variables.begin(), reserved_variables.end(),
                             name) != reserved_variables.end()) {
            faults.add(at, "expected a variable that ap-exec does not set itself, got " +
                               name);
        } else if (!value.is_string()) {
            faults.expected(at, "a string", value);
        } else {
            phase.env.emplace(name, value.as_string());
        }
    }
}

void read_stdin(ObjectReader &reader, PhaseSpec &phase)
{
    const Json value = reader.get("stdin");
    if (value.is_string()) {
        phase.stdin_text = value.as_string();
    } else if (value.is_object()) {
        ObjectReader source(value, reader.pointer_to("stdin"), members_of_stdin,
                            reader.faults());
        source.require("file");
        phase.stdin_file = source.text("file");
        if (phase.stdin_file && phase.stdin_file->empty()) {
            reader.faults().expected(source.pointer_to("file"), "a path",
                                     source.get("file"));
        }
    } else if (value) {
        reader.faults().expected(reader.pointer_to("stdin"),
                                 "a string or {\"file\": PATH}", value);
    }
}

void read_backoff(ObjectReader &phase_reader, Backoff &backoff)
{
    if (!phase_reader.has("backoff")) {
        return;
    }
    ObjectReader reader(phase_reader.get("backoff"), phase_reader.pointer_to("backoff"),
                        members_of_backoff, phase_reader.faults());
    backoff.first = reader.duration("first", milliseconds(0)).value_or(backoff.first);
    // A first wait above the usual longest one raises that, if the plan names none.
    backoff.longest = reader.duration("longest", backoff.first)
                          .value_or(std::max(backoff.longest, backoff.first));
    backoff.factor = reader.number("factor", 1, largest_factor).value_or(backoff.factor);
    backoff.jitter = reader.number("jitter", 0, 1).value_or(backoff.jitter);
}

void read_limits(ObjectReader &reader, PhaseSpec &phase)
{
    constexpr milliseconds shortest(1);
    phase.token_cap = reader.integer("token_cap", 0, largest_amount);
    phase.cost_cap_microusd = reader.dollars("cost_cap_usd");
    phase.timeout = reader.duration("timeout", shortest).value_or(phase.timeout);
    phase.idle_timeout = reader.duration("idle_timeout", shortest);
    phase.grace = reader.duration("grace", milliseconds(0)).value_or(phase.grace);
    phase.max_attempts = static_cast<int>(
        reader.integer("max_attempts", 1, 100)
            .value_or(phase.build ? usual_build_attempts : phase.max_attempts));
    phase.max_interruptions = static_cast<int>(
        reader.integer("max_interruptions", 0, 1000).value_or(phase.max_interruptions));
    read_backoff(reader, phase.backoff);
}

void read_agent(ObjectReader &reader, PhaseSpec &phase)
{
    phase.agent = static_cast<Agent>(reader.choice("agent", agents).value_or(0));
    phase.agent_template = reader.identifier("agent_template").value_or("");
}

void read_gateway(ObjectReader &reader, PhaseSpec &phase)
{
    phase.gateway =
        static_cast<GatewayUse>(reader.choice("gateway", gateway_uses).value_or(0));
}

void read_work(ObjectReader &reader, PhaseSpec &phase)
{
    check_kind_of_work(reader);
    if (const Json command = reader.get("command")) {
        phase.command =
            read_command(command, reader.pointer_to("command"), reader.faults());
    }
    phase.build = read_build(reader);
    phase.merge = read_merge(reader);
    if (const Json check = reader.get("check")) {
        phase.checks = read_checks(check, reader.pointer_to("check"), reader.faults());
    }
    read_agent(reader, phase);
    read_gateway(reader, phase);
    phase.cwd = reader.text("cwd").value_or("");
    read_environment(reader, phase);
    phase.pass_env =
        reader.strings("pass_env", "a variable name without '='", is_variable_name);
    read_stdin(reader, phase);
    phase.outputs =
        reader.strings("outputs", "a relative path without \"..\"", stays_below);
}

} // namespace

std::string_view agent_name(Agent agent)
{
    return agents.at(static_cast<size_t>(agent));
}

std::string_view gateway_use_name(GatewayUse use)
{
    return gateway_uses.at(static_cast<size_t>(use));
}

std::span<const std::string_view> agent_names()
{
    return agents;
}

std::span<const std::string_view> phase_members()
{
    return members_of_phase;
}

std::span<const std::string_view> backoff_members()
{
    return members_of_backoff;
}

std::span<const std::string_view> stdin_members()
{
    return members_of_stdin;
}

PhaseSpec read_phase(const Json &value, const std::string &pointer, PlanFaults &faults)
{
    ObjectReader reader(value, pointer, members_of_phase, faults);
    reader.require("id");
    PhaseSpec phase;
    phase.id = reader.identifier("id").value_or("");
    phase.name = reader.label("name").value_or(phase.id);
    phase.type = reader.identifier("type").value_or(phase.type);
    phase.breaker = reader.identifier("breaker").value_or("");
    phase.depends_on = reader.strings("depends_on", "the id of a phase", is_identifier);
    phase.approval = read_phase_approval(reader);
    read_work(reader, phase);
    read_limits(reader, phase);
    read_launcher(reader, phase);
    return phase;
}

} // namespace ap
