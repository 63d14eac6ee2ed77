#include "domain/child_environment.hh"

#include "domain/agent_template.hh"
#include "domain/capability.hh"
#include "sys/path.hh"
#include "sys/process.hh"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <map>
#include <span>
#include <string_view>
#include <unistd.h>

namespace ap {

namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

constexpr std::string_view own_variables[] = {"LISTEN_FDS",   "LISTEN_FDNAMES",
                                              "LISTEN_PID",   "NOTIFY_SOCKET",
                                              "WATCHDOG_PID", "WATCHDOG_USEC"};

constexpr std::string_view anthropic_keys[] = {
    "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"};
constexpr std::string_view openai_keys[] = {"CODEX_API_KEY", "OPENAI_API_KEY"};
constexpr std::string_view other_keys[] = {
    "AZURE_OPENAI_API_KEY", "DEEPSEEK_API_KEY", "GEMINI_API_KEY",
    "GOOGLE_API_KEY",       "GROQ_API_KEY",     "MISTRAL_API_KEY",
    "OPENROUTER_API_KEY",   "TOGETHER_API_KEY", "XAI_API_KEY"};

// What leads an agent to a provider on a way of its own, past the gateway.
constexpr std::string_view other_routes[] = {"CLAUDE_CODE_USE_BEDROCK",
                                             "CLAUDE_CODE_USE_VERTEX"};

constexpr std::string_view gateway_addresses[] = {
    "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "OPENAI_BASE_URL"};

// By which clients of all kinds find certificates to trust, Node's in addition to its
// own.
constexpr std::string_view ca_variables[] = {"CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
                                             "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"};

// The name or address in "https://NAME:PORT/...".
std::string host_of(std::string_view url)
{
    const size_t start = url.find("://") + 3;
    const std::string_view rest = url.substr(start, url.find('/', start) - start);
    return std::string(rest.starts_with('[') ? rest.substr(1, rest.find(']') - 1)
                                             : rest.substr(0, rest.find(':')));
}

bool is_loopback_name(std::string_view host)
{
    return host == "127.0.0.1" || host == "localhost";
}

void erase(Variables &variables, std::span<const std::string_view> names,
           const std::vector<std::string> &kept)
{
    for (const std::string_view name : names) {
        if (std::find(kept.begin(), kept.end(), name) == kept.end()) {
            variables.erase(std::string(name));
        }
    }
}

void erase_keys(Variables &variables, Agent agent, const std::vector<std::string> &kept)
{
    const bool any = agent == Agent::Opencode || agent == Agent::Custom;
    if (!any && agent != Agent::Claude) {
        erase(variables, anthropic_keys, kept);
    }
    if (!any && agent != Agent::Codex) {
        erase(variables, openai_keys, kept);
    }
    if (!any) {
        erase(variables, other_keys, kept);
    }
}

Variables own_environment()
{
    Variables variables;
    for (char **entry = environ; entry != nullptr && *entry != nullptr; entry++) {
        const std::string_view text = *entry;
        const size_t equals = text.find('=');
        if (equals != std::string_view::npos) {
            variables.emplace(text.substr(0, equals), text.substr(equals + 1));
        }
    }
    return variables;
}

// What clients of providers go by. A plan's own values would lead past the gateway.
void lead_to_gateway(Variables &variables, const GateAccess &gate)
{
    for (const auto names : {std::span<const std::string_view>(anthropic_keys),
                             std::span<const std::string_view>(openai_keys),
                             std::span<const std::string_view>(other_keys),
                             std::span<const std::string_view>(other_routes)}) {
        erase(variables, names, {});
    }
    variables["ANTHROPIC_BASE_URL"] = gate.url;
    variables["ANTHROPIC_API_KEY"] = gate.key;
    variables["ANTHROPIC_AUTH_TOKEN"] = gate.key;
    variables["OPENAI_BASE_URL"] = gate.url + "/v1";
    variables["OPENAI_API_KEY"] = gate.key;
    variables["GOOGLE_GEMINI_BASE_URL"] = gate.url;
    variables["GEMINI_API_KEY"] = gate.key;
    if (!gate.ca_file.empty()) {
        for (const std::string_view name : ca_variables) {
            variables[std::string(name)] = gate.ca_file;
        }
    }
    // A proxy for the world outside would be handed the key, and could not reach the
    // gateway.
    const std::string host = host_of(gate.url);
    const std::string direct = "127.0.0.1,localhost";
    for (const std::string name : {"NO_PROXY", "no_proxy"}) {
        std::string &hosts = variables[name];
        hosts += (hosts.empty() ? "" : ",") + direct;
        hosts += is_loopback_name(host) ? "" : "," + host;
    }
}

void add_own_variables(Variables &variables, const Lease &lease, const StatePaths &paths,
                       const std::string &usage_fifo)
{
    variables["AUTOPACK_RUN_ID"] = lease.run_id;
    variables["AUTOPACK_PHASE_ID"] = lease.phase.id;
    variables["AUTOPACK_ATTEMPT"] = std::to_string(lease.number);
    variables["AUTOPACK_LEASE"] = lease.token;
    variables["AUTOPACK_USAGE_FIFO"] = usage_fifo;
    variables["AUTOPACK_DB"] = paths.database;
    variables["AUTOPACK_RUNS_DIR"] = paths.runs;
}

void apply_template(const Lease &lease, const StatePaths &paths, PlanCommand &command,
                    Variables &variables)
{
    std::string name = lease.phase.agent_template;
    if (name.empty() && lease.phase.agent != Agent::None &&
        lease.phase.agent != Agent::Custom) {
        name = agent_name(lease.phase.agent);
    }
    if (name.empty()) {
        return;
    }
    const std::string directory = join_path(
        paths.attempt_directory(lease.run_id, lease.phase.id, lease.number), "agent");
    apply_agent_template(load_agent_template(name),
                         {lease.gate->url, lease.gate->key, directory}, command,
                         variables);
}

// The phase's command. The suite's own program is the one beside this.
PlanCommand command_of(const PhaseSpec &phase)
{
    if (!phase.is_own_program()) {
        return phase.command;
    }
    PlanCommand command{{join_path(program_directory(), "ap-build")}, false};
    if (phase.merge) {
        command.argv.emplace_back("--merge");
    }
    return command;
}

PreparedCommand prepared(PlanCommand command, const Variables &variables)
{
    PreparedCommand ready{std::move(command), {}};
    ready.environment.reserve(variables.size());
    for (const auto &[name, value] : variables) {
        ready.environment.push_back(name + "=" + value);
    }
    return ready;
}

Variables variables_for(const Lease &lease, Agent agent)
{
    Variables variables = own_environment();
    erase(variables, own_variables, {});
    erase_keys(variables, agent, lease.phase.pass_env);
    for (const auto &[name, value] : lease.phase.env) {
        variables[name] = value;
    }
    return variables;
}

} // namespace

std::vector<std::string>
withheld_from_checks(const PhaseSpec &phase,
                     const std::vector<std::string> &key_variables)
{
    std::vector<std::string> names = key_variables;
    for (const auto keys : {std::span<const std::string_view>(anthropic_keys),
                            std::span<const std::string_view>(openai_keys),
                            std::span<const std::string_view>(other_keys)}) {
        names.insert(names.end(), keys.begin(), keys.end());
    }
    const auto leads_to_gateway = [](const std::string &name) {
        const char *value = std::getenv(name.c_str());
        return value != nullptr && is_capability(value);
    };
    const bool has_gateway = std::any_of(names.begin(), names.end(), leads_to_gateway);
    const bool may_use_it = phase.gateway == GatewayUse::All;
    std::erase_if(names, [&](const std::string &name) {
        const auto &kept = phase.pass_env;
        return leads_to_gateway(name)
                   ? may_use_it
                   : std::find(kept.begin(), kept.end(), name) != kept.end();
    });
    if (has_gateway && !may_use_it) {
        names.insert(names.end(), std::begin(gateway_addresses),
                     std::end(gateway_addresses));
    }
    return names;
}

PreparedCommand prepare_command(const Lease &lease, const StatePaths &paths,
                                const std::string &usage_fifo)
{
    PlanCommand command = command_of(lease.phase);
    // Our own program may ask any provider, and keeps the keys from what it starts.
    Variables variables =
        variables_for(lease, lease.phase.build ? Agent::Custom : lease.phase.agent);
    if (lease.gate) {
        lead_to_gateway(variables, *lease.gate);
        apply_template(lease, paths, command, variables);
    }
    add_own_variables(variables, lease, paths, usage_fifo);
    return prepared(std::move(command), variables);
}

PreparedCommand prepare_check(const Lease &lease, const StatePaths &paths,
                              const std::string &usage_fifo, size_t index)
{
    Variables variables = variables_for(lease, Agent::None);
    if (lease.gate && lease.phase.gateway == GatewayUse::All) {
        lead_to_gateway(variables, *lease.gate);
    }
    add_own_variables(variables, lease, paths, usage_fifo);
    return prepared(lease.phase.checks.at(index), variables);
}

} // namespace ap
