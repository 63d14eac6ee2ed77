#include "base/text.hh"
#include "domain/build_spec.hh"
#include "domain/plan_reader.hh"

namespace ap {

namespace {

Json command_to_json(const PlanCommand &command)
{
    return command.is_shell ? Json::string(command.argv.back())
                            : strings_to_json(command.argv);
}

// Several checks are written as arrays of words, because an array of nothing but strings
// would be read as the words of one.
Json checks_to_json(const std::vector<PlanCommand> &checks)
{
    if (checks.size() == 1) {
        return command_to_json(checks.front());
    }
    Json array = Json::array();
    for (const PlanCommand &check : checks) {
        array.append(strings_to_json(check.argv));
    }
    return array;
}

Json backoff_to_json(const Backoff &backoff)
{
    return Json::object()
        .set("first", duration_text(backoff.first))
        .set("longest", duration_text(backoff.longest))
        .set("factor", Json::real(backoff.factor))
        .set("jitter", Json::real(backoff.jitter));
}

void set_limits(Json &json, const PhaseSpec &phase)
{
    if (phase.token_cap) {
        json.set("token_cap", *phase.token_cap);
    }
    if (phase.cost_cap_microusd) {
        json.set("cost_cap_usd",
                 Json::real(static_cast<double>(*phase.cost_cap_microusd) / 1e6));
    }
    json.set("timeout", duration_text(phase.timeout));
    if (phase.idle_timeout) {
        json.set("idle_timeout", duration_text(*phase.idle_timeout));
    }
    json.set("grace", duration_text(phase.grace))
        .set("max_attempts", phase.max_attempts)
        .set("max_interruptions", phase.max_interruptions)
        .set("backoff", backoff_to_json(phase.backoff));
}

} // namespace

Json strings_to_json(const std::vector<std::string> &strings)
{
    Json array = Json::array();
    for (const std::string &item : strings) {
        array.append(Json::string(item));
    }
    return array;
}

Json phase_spec_to_json(const PhaseSpec &phase)
{
    Json json = Json::object();
    json.set("id", phase.id).set("name", phase.name).set("type", phase.type);
    if (phase.build) {
        set_build(json, *phase.build);
    } else if (phase.merge) {
        json.set("merge", merge_policy_name(*phase.merge));
    } else {
        json.set("command", command_to_json(phase.command));
    }
    if (!phase.is_own_program()) {
        json.set("agent", agent_name(phase.agent));
    }
    if (!phase.agent_template.empty()) {
        json.set("agent_template", phase.agent_template);
    }
    json.set("gateway", gateway_use_name(phase.gateway));
    if (!phase.checks.empty()) {
        json.set("check", checks_to_json(phase.checks));
    }
    Json variables = Json::object();
    for (const auto &[name, value] : phase.env) {
        variables.set(name, value);
    }
    json.set("cwd", phase.cwd).set("env", variables);
    json.set("pass_env", strings_to_json(phase.pass_env));
    if (phase.stdin_text) {
        json.set("stdin", *phase.stdin_text);
    } else if (phase.stdin_file) {
        json.set("stdin", Json::object().set("file", *phase.stdin_file));
    }
    json.set("depends_on", strings_to_json(phase.depends_on));
    if (!phase.outputs.empty()) {
        json.set("outputs", strings_to_json(phase.outputs));
    }
    if (!phase.breaker.empty()) {
        json.set("breaker", phase.breaker);
    }
    if (phase.approval) {
        json.set("approval", phase_approval_to_json(*phase.approval));
    }
    set_limits(json, phase);
    set_launcher(json, phase);
    return json;
}

PhaseSpec phase_spec_from_json(std::string_view text)
{
    const Json json = Json::parse(text, "stored phase");
    PlanFaults faults;
    PhaseSpec phase = read_phase(json, "", faults);
    if (!faults.empty()) {
        throw Error(ExitStatus::BadData,
                    "stored phase '" +
                        printable(json.get_string("id").value_or("without id")) +
                        "': " + faults.first());
    }
    return phase;
}

} // namespace ap
