#include "domain/child_environment.hh"

#include <algorithm>
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

std::vector<std::string> environment_for(const Lease &lease, Agent agent,
                                         const StatePaths &paths,
                                         const std::string &usage_fifo)
{
    Variables variables = own_environment();
    erase(variables, own_variables, {});
    erase_keys(variables, agent, lease.phase.pass_env);
    for (const auto &[name, value] : lease.phase.env) {
        variables[name] = value;
    }
    variables["AUTOPACK_RUN_ID"] = lease.run_id;
    variables["AUTOPACK_PHASE_ID"] = lease.phase.id;
    variables["AUTOPACK_ATTEMPT"] = std::to_string(lease.number);
    variables["AUTOPACK_LEASE"] = lease.token;
    variables["AUTOPACK_USAGE_FIFO"] = usage_fifo;
    variables["AUTOPACK_DB"] = paths.database;
    variables["AUTOPACK_RUNS_DIR"] = paths.runs;
    std::vector<std::string> entries;
    entries.reserve(variables.size());
    for (const auto &[name, value] : variables) {
        entries.push_back(name + "=" + value);
    }
    return entries;
}

} // namespace

std::vector<std::string> child_environment(const Lease &lease, const StatePaths &paths,
                                           const std::string &usage_fifo)
{
    return environment_for(lease, lease.phase.agent, paths, usage_fifo);
}

std::vector<std::string> check_environment(const Lease &lease, const StatePaths &paths,
                                           const std::string &usage_fifo)
{
    return environment_for(lease, Agent::None, paths, usage_fifo);
}

} // namespace ap
