#include "base/text.hh"
#include "cli/table.hh"
#include "cli/tool.hh"
#include "domain/budget.hh"
#include "domain/control.hh"
#include "domain/integrity.hh"
#include "domain/lease.hh"
#include "domain/run.hh"
#include "sys/fifo.hh"

#include <chrono>
#include <thread>

namespace {

using ap::ExitStatus;
using namespace std::chrono_literals;

constexpr ap::Option options[] = {
    {'w', "wait", "D", "how long to wait for the executor's answer (default 5s)"},
    {0, "json", "", "print JSON"},
    {0, "db", "PATH", "database file (default: AUTOPACK_DB or autopack.db)"},
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

void print_outcome(const ap::Arguments &arguments, std::string_view outcome)
{
    if (arguments.has("json")) {
        ap::print(ap::Json::object()
                      .set("run_id", arguments.operands()[0])
                      .set("verb", arguments.verb())
                      .set("outcome", outcome)
                      .dump() +
                  "\n");
    }
}

void wake(ap::State &state, const std::string &run_id)
{
    try {
        ap::write_fifo_line(ap::control_fifo_path(state.paths(), run_id), "wake");
    } catch (const ap::Error &error) {
        // Nobody reads it yet, or its reader is stuck; the wake file may still reach it.
        ap::wake_executors(state.paths(), run_id);
        if (error.status() != ExitStatus::Unavailable) {
            throw;
        }
    }
}

ExitStatus wait_until_applied(const ap::Arguments &arguments, ap::State &state,
                              int64_t control_id)
{
    const auto wait = ap::parse_duration(arguments.value("wait").value_or("5s"));
    if (!wait) {
        throw ap::UsageError("--wait: expected a duration such as 5s, got '" +
                             ap::printable(*arguments.value("wait")) + "'");
    }
    const auto deadline = std::chrono::steady_clock::now() + *wait;
    while (true) {
        const ap::Control control = ap::show_control(state.database(), control_id);
        if (control.applied_at) {
            print_outcome(arguments, control.outcome.value_or(""));
            return ExitStatus::Done;
        }
        if (wait->count() == 0) {
            return ExitStatus::Done;
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            throw ap::Error(ExitStatus::TryAgain,
                            "the request is recorded, but no executor has answered in " +
                                ap::format_duration(*wait));
        }
        std::this_thread::sleep_for(5ms);
    }
}

// Nobody executes the run: what can be done without an executor is done here.
ExitStatus control_idle_run(const ap::Arguments &arguments, ap::State &state,
                            ap::ControlVerb verb)
{
    const std::string &run_id = arguments.operands()[0];
    const ap::SystemClock clock;
    if (verb == ap::ControlVerb::Stop) {
        throw ap::Error(ExitStatus::Unavailable,
                        "no executor is running '" + run_id + "'");
    }
    const std::string phase =
        arguments.operands().size() > 1 ? arguments.operands()[1] : std::string();
    const int64_t id =
        ap::submit_control(state.database(), run_id, verb, phase, "ap-ctl", clock);
    ap::forget_dead_processes(state, run_id);
    if (verb == ap::ControlVerb::Abort) {
        ap::abort_run(state.database(), run_id, "aborted on request", clock);
        ap::apply_control(state.database(), id, "aborted; nothing was executing", clock);
    }
    print_outcome(arguments,
                  ap::show_control(state.database(), id).outcome.value_or("recorded"));
    return ExitStatus::Done;
}

ExitStatus control(const ap::Arguments &arguments, ap::State &state)
{
    const std::string &run_id = arguments.operands()[0];
    const ap::ControlVerb verb = *ap::control_verb_of(arguments.verb());
    if (!ap::run_standing(state.database(), run_id).ended() &&
        !ap::has_live_executor(state.database(), run_id)) {
        return control_idle_run(arguments, state, verb);
    }
    const std::string phase =
        arguments.operands().size() > 1 ? arguments.operands()[1] : std::string();
    const int64_t id = ap::submit_control(state.database(), run_id, verb, phase, "ap-ctl",
                                          ap::SystemClock());
    wake(state, run_id);
    return wait_until_applied(arguments, state, id);
}

ap::Json executors_of(ap::Sqlite &database, const std::string &run_id)
{
    ap::Json list = ap::Json::array();
    ap::Statement query = database.prepare("SELECT pid, jobs, started_at FROM executors "
                                           "WHERE run_id = ?1 AND ended_at IS NULL");
    query.bind_all(run_id);
    while (query.step()) {
        list.append(ap::Json::object()
                        .set("pid", query.integer(0))
                        .set("jobs", query.integer(1))
                        .set("started_at", ap::format_rfc3339(query.integer(2))));
    }
    return list;
}

ExitStatus status(const ap::Arguments &arguments, ap::Sqlite &database)
{
    std::vector<ap::RunSummary> runs;
    if (!arguments.operands().empty()) {
        runs.push_back(ap::show_run(database, arguments.operands()[0]));
    } else {
        for (const std::string_view open : {"EXECUTING", "QUEUED", "STOPPED"}) {
            const auto some = ap::list_runs(database, {std::string(open), 1000});
            runs.insert(runs.end(), some.begin(), some.end());
        }
    }
    ap::Table table(
        {"RUN", "STATUS", "EXECUTORS", "PHASES", "EXECUTING", "TOKENS", "CAP"});
    for (const ap::RunSummary &run : runs) {
        std::vector<std::string> executing;
        for (const ap::PhaseSummary &phase : ap::list_phases(database, run.run_id)) {
            if (phase.status == "EXECUTING" || phase.status == "CI_RUNNING") {
                executing.push_back(phase.phase_id);
            }
        }
        const ap::Json executors = executors_of(database, run.run_id);
        if (arguments.has("json")) {
            ap::Json phases = ap::Json::array();
            for (const std::string &phase : executing) {
                phases.append(ap::Json::string(phase));
            }
            ap::print(ap::run_to_json(run)
                          .set("executors", executors)
                          .set("executing", phases)
                          .dump() +
                      "\n");
            continue;
        }
        table.add({run.run_id, run.status + (run.paused ? " (paused)" : ""),
                   std::to_string(executors.size()),
                   std::to_string(run.phases_complete) + "/" + std::to_string(run.phases),
                   executing.empty() ? "-" : ap::join(executing, " "),
                   ap::format_count(run.tokens_used), ap::format_count(run.token_cap)});
    }
    if (!arguments.has("json")) {
        ap::print(table.text());
    }
    return ExitStatus::Done;
}

ExitStatus manage(const ap::Arguments &arguments)
{
    const bool reads = arguments.verb() == "status";
    ap::State state(ap::state_paths(arguments.value("db")),
                    reads ? ap::State::Access::Read : ap::State::Access::Write,
                    spec.name);
    return reads ? status(arguments, state.database()) : control(arguments, state);
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, manage);
}
