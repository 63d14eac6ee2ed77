#pragma once

#include "base/error.hh"
#include "domain/build_goal.hh"
#include "domain/token_caps.hh"
#include "wrap/json.hh"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// A command of a plan: an argument vector, or a shell string that is run by `sh -c`.
struct PlanCommand
{
    std::vector<std::string> argv; ///< ready to execute; {"sh", "-c", TEXT} for a string
    bool is_shell = false;
};

/// How the usage of a phase's command is read and, with a gateway, how it is pointed
/// there.
enum class Agent {
    None,     ///< usage comes through AUTOPACK_USAGE_FIFO or ap-budget report only
    Claude,   ///< claude -p --output-format json|stream-json on stdout
    Codex,    ///< codex exec --json on stdout
    Opencode, ///< opencode run --format json on stdout
    Custom,   ///< JSON lines {"usage": {...}} on stdout, fields as for ap-budget report
};

std::string_view agent_name(Agent agent);

/// What of a phase gets a key for the gateway, where there is one.
enum class GatewayUse {
    Command, ///< its command, not its checks
    All,     ///< its command and its checks
    None,    ///< nothing: it is as if there were no gateway
};

/// Where a phase is executed.
enum class LauncherKind {
    Local, ///< on the executor's machine, by the executor
    Slurm, ///< as a batch job of Slurm
};

/// Their names, in that order.
std::span<const std::string_view> launcher_names();

std::string_view launcher_name(LauncherKind launcher);

/// The launcher of that name; nothing if there is none.
std::optional<LauncherKind> launcher_from_name(std::string_view name);

/// What a phase asks of Slurm. Empty strings are left to Slurm's own defaults.
struct SlurmRequest
{
    std::string partition;
    std::string account;
    std::string qos;
    std::string reservation;
    std::string constraint;    ///< features of nodes, in sbatch's terms
    std::string gres;          ///< generic resources, "gpu:1"
    std::string mem;           ///< of the node, "4G"
    std::optional<int> cpus{}; ///< of one task
};

/// Waits between attempts: first * factor^(n-1), at most longest, each time shortened by
/// a random part of up to `jitter` (0 to 1) of it.
struct Backoff
{
    std::chrono::milliseconds first{1000};
    std::chrono::milliseconds longest{60000};
    double factor = 2.0;
    double jitter = 0.5;
};

/// A person's yes that a phase needs before it starts.
struct PhaseApproval
{
    std::string summary; ///< what is asked, one line; "start phase ID" if none is given
    std::chrono::milliseconds timeout{std::chrono::hours(24)};
    bool granted_on_expiry = false; ///< "default": "yes"
};

/// One phase as a plan gives it, with the defaults filled in.
struct PhaseSpec
{
    std::string id;
    std::string name; ///< the id if the plan has none
    std::string type = "implementation";
    PlanCommand command;
    std::optional<BuildSpec> build;   ///< instead of a command: ap-build reaches it
    std::optional<MergePolicy> merge; ///< instead of a command: ap-build merges
    Agent agent = Agent::None;
    std::string agent_template; ///< of contrib/agents; the agent's if the plan has none
    GatewayUse gateway = GatewayUse::Command;
    std::vector<PlanCommand> checks; ///< "check": one command or several
    std::string cwd; ///< relative to the database's directory; empty: there
    std::map<std::string, std::string> env;
    std::vector<std::string> pass_env;     ///< provider keys the command may inherit
    std::optional<std::string> stdin_text; ///< "stdin": "text"
    std::optional<std::string> stdin_file; ///< "stdin": {"file": PATH}, relative to cwd
    std::vector<std::string> depends_on;
    std::vector<std::string> outputs; ///< files that must exist afterwards, under cwd
    std::optional<PhaseApproval> approval;
    std::string breaker;              ///< circuit breaker that guards it; empty for none
    std::optional<int64_t> token_cap; ///< tokens; none: default by type
    std::optional<int64_t> cost_cap_microusd; ///< "cost_cap_usd" in millionths
    std::chrono::milliseconds timeout{std::chrono::hours(1)}; ///< one attempt, wall clock
    std::optional<std::chrono::milliseconds> idle_timeout;    ///< none: no limit
    std::chrono::milliseconds grace{5000};                    ///< TERM to KILL
    int max_attempts = 1;
    int max_interruptions = 25; ///< attempts lost to crashes before the phase fails
    Backoff backoff;
    std::optional<LauncherKind> launcher; ///< none: the executor's
    SlurmRequest slurm;                   ///< for when Slurm executes it

    /// Whether it is the suite's own ap-build that is executed.
    bool is_own_program() const noexcept { return build || merge; }
};

/// One tier: its phases start when all phases of the tiers before it are complete.
struct TierSpec
{
    std::string id;
    std::string name;
    std::vector<PhaseSpec> phases;
};

/// A valid plan.
struct Plan
{
    std::string run_id;
    std::string goal;
    std::optional<int64_t> token_cap;
    std::optional<int64_t> cost_cap_microusd;
    std::vector<TierSpec> tiers;
};

/// All the faults of a plan. what() has one line for each, in the order of the text:
/// "SOURCE:LINE: POINTER: expected ..., got ...".
class PlanError : public Error
{
public:
    struct Fault
    {
        int line;            ///< counts from 1
        std::string pointer; ///< RFC 6901, "/tiers/0/phases/2/timeout"
        std::string message;
    };

    PlanError(std::string_view source, std::vector<Fault> faults);

    const std::vector<Fault> &faults() const noexcept { return faults_; }

private:
    std::vector<Fault> faults_;
};

/// The most bytes a plan may have.
inline constexpr size_t longest_plan = size_t{16} << 20;

/// Reads a plan (ap-plan(5)). `source` names it in messages. `run_id` replaces the plan's
/// own, which may then be missing. Throws Error(BadData) for
/// text that is not JSON, PlanError for a plan with faults (unknown members, wrong types
/// or ranges, duplicate ids, unknown or circular dependencies, dependencies on later
/// tiers).
Plan parse_plan(std::string_view text, std::string_view source,
                const std::optional<std::string> &run_id = std::nullopt);

/// A phase as JSON in the plan's own terms with every default written out; what
/// phases.spec holds.
Json phase_spec_to_json(const PhaseSpec &phase);

/// The reverse; throws Error(BadData) naming the phase if the text is not what
/// phase_spec_to_json wrote.
PhaseSpec phase_spec_from_json(std::string_view text);

} // namespace ap
