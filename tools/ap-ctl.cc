#include "base/text.hh"
#include "cli/listing.hh"
#include "cli/tool.hh"
#include "domain/control_request.hh"
#include "domain/run.hh"
#include "net/serve_client.hh"

namespace {

using ap::ExitStatus;
using namespace std::chrono_literals;

constexpr auto default_wait = 5s;
constexpr int64_t most_runs = 1000;

constexpr ap::Option options[] = {
    {'w', "wait", "D", "how long to wait for the executor's answer (default 5s)"},
    {0, "json", "", "print JSON"},
    {0, "db", "PATH", "database (default: AUTOPACK_DB or autopack.db)"},
};

constexpr ap::Verb verbs[] = {
    {"stop", "RUN", "finish the phases that execute, then stop; can be resumed", 1, 1},
    {"abort", "RUN", "end everything now; the run ends aborted", 1, 1},
    {"timeout", "RUN PHASE", "treat a phase as if its time were up", 2, 2},
    {"pause", "RUN", "start no further phase", 1, 1},
    {"resume", "RUN", "go on after a pause", 1, 1},
    {"status", "[RUN]", "print what is executing", 0, 1},
};

constexpr ap::ToolSpec spec = {.name = "ap-ctl",
                               .summary = "stop, abort, time out, pause and resume runs",
                               .options = options,
                               .verbs = verbs};

ExitStatus control(const ap::Arguments &arguments, ap::State &state)
{
    const ap::ControlRequest request = {
        .run_id = arguments.operand(0),
        .verb = *ap::control_verb_of(arguments.verb()),
        .phase_id = arguments.operand(1),
        .wait = arguments.duration("wait").value_or(default_wait)};
    const std::string outcome = ap::request_control(state, request, ap::SystemClock());
    if (arguments.has("json")) {
        ap::print(ap::Json::object()
                      .set("run_id", request.run_id)
                      .set("verb", arguments.verb())
                      .set("outcome", outcome)
                      .dump() +
                  "\n");
    }
    return ExitStatus::Done;
}

// The run that was named, or all that have not ended.
std::vector<ap::RunSummary> runs_to_show(const ap::Arguments &arguments,
                                         ap::Sqlite &database)
{
    if (!arguments.operands().empty()) {
        return {ap::show_run(database, arguments.operand(0))};
    }
    std::vector<ap::RunSummary> runs;
    for (const std::string_view open : {"EXECUTING", "QUEUED", "STOPPED"}) {
        const auto some = ap::list_runs(database, {std::string(open), most_runs});
        runs.insert(runs.end(), some.begin(), some.end());
    }
    return runs;
}

ap::Json status_to_json(const ap::RunSummary &run,
                        const std::vector<ap::ExecutorSummary> &executors,
                        const std::vector<std::string> &executing)
{
    ap::Json phases = ap::Json::array();
    for (const std::string &phase : executing) {
        phases.append(ap::Json::string(phase));
    }
    ap::Json processes = ap::Json::array();
    for (const ap::ExecutorSummary &executor : executors) {
        processes.append(ap::Json::object()
                             .set("pid", executor.pid)
                             .set("jobs", executor.jobs)
                             .set("started_at", ap::format_rfc3339(executor.started_at)));
    }
    return ap::run_to_json(run).set("executors", processes).set("executing", phases);
}

// Every call of every run passes it, so it is shown where all runs are.
void show_gateway(const ap::StatePaths &paths, bool json)
{
    if (!ap::is_running(paths, ap::by_gate)) {
        return;
    }
    const ap::Json gateway = ap::ask_server(paths, ap::by_gate, "/status");
    if (json) {
        ap::print(ap::Json::object().set("gateway", gateway).dump() + "\n");
        return;
    }
    const auto count = [&](std::string_view name) {
        return std::to_string(gateway.get_integer(name).value_or(0));
    };
    ap::print("gateway (pid " + count("pid") + "): " + count("calls") +
              " calls under way, " + count("waiting_for_budget") +
              " waiting for budget, " + count("settled") + " settled, " +
              count("refused") + " refused\n");
}

ExitStatus status(const ap::Arguments &arguments, ap::State &state)
{
    ap::Sqlite &database = state.database();
    ap::Listing listing(arguments.has("json"), {"RUN", "STATUS", "EXECUTORS", "PHASES",
                                                "EXECUTING", "TOKENS", "CAP"});
    for (const ap::RunSummary &run : runs_to_show(arguments, database)) {
        std::vector<std::string> executing;
        for (const ap::PhaseSummary &phase : ap::list_phases(database, run.run_id)) {
            if (phase.status == "EXECUTING" || phase.status == "CI_RUNNING") {
                executing.push_back(phase.phase_id);
            }
        }
        const auto executors = ap::list_executors(database, run.run_id);
        listing.add(
            status_to_json(run, executors, executing).dump(),
            {run.run_id, run.status + (run.paused ? " (paused)" : ""),
             std::to_string(executors.size()),
             std::to_string(run.phases_complete) + "/" + std::to_string(run.phases),
             executing.empty() ? "-" : ap::join(executing, " "),
             ap::format_count(run.tokens_used), ap::format_count(run.token_cap)});
    }
    listing.finish();
    if (arguments.operands().empty()) {
        show_gateway(state.paths(), arguments.has("json"));
    }
    return ExitStatus::Done;
}

ExitStatus manage(const ap::Arguments &arguments)
{
    const bool reads = arguments.verb() == "status";
    ap::State state(ap::state_paths(arguments.value("db")),
                    reads ? ap::State::Access::Read : ap::State::Access::Write,
                    spec.name);
    return reads ? status(arguments, state) : control(arguments, state);
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, manage);
}
