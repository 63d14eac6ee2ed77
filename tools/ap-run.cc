#include "base/text.hh"
#include "cli/table.hh"
#include "cli/tool.hh"
#include "domain/config.hh"
#include "domain/run.hh"
#include "sys/path.hh"

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'r', "run-id", "ID", "create: record the plan under this id"},
    {'n', "dry-run", "", "create: only check the plan"},
    {'s', "status", "STATUS", "list: only runs of this status"},
    {'l', "limit", "N", "list: at most N runs, the newest (default 50)"},
    {0, "json", "", "print JSON"},
    {0, "db", "PATH", "database (default: AUTOPACK_DB or autopack.db)"},
};

constexpr ap::Verb verbs[] = {
    {"create", "PLAN", "record a run from a plan (- for standard input)", 1, 1},
    {"list", "", "list runs, the newest first", 0, 0},
    {"show", "RUN", "print a run and its phases", 1, 1},
    {"retry", "RUN [PHASE]", "queue failed phases and what they held up again", 1, 2},
    {"delete", "RUN", "remove a run with its files", 1, 1},
    {"export", "RUN", "print everything recorded of a run as JSON", 1, 1},
};

constexpr ap::ToolSpec spec = {.name = "ap-run",
                               .summary = "record, list, show, retry and delete runs",
                               .options = options,
                               .verbs = verbs};

constexpr int64_t most_runs = 1'000'000;

ExitStatus create(const ap::Arguments &arguments)
{
    const std::string &path = arguments.operands()[0];
    const std::string text = ap::read_file(path, ap::longest_plan);
    const ap::StatePaths paths = ap::state_paths(arguments.value("db"));
    const ap::Config config = ap::load_config(paths);
    ap::Plan plan = ap::parse_plan(text, path == "-" ? "standard input" : path,
                                   arguments.value("run-id"));
    if (arguments.has("dry-run")) {
        return ExitStatus::Done;
    }
    ap::State state(paths, ap::State::Access::Create, spec.name);
    ap::create_run(state, plan, text, config.token_caps, ap::SystemClock());
    ap::print(arguments.has("json")
                  ? ap::Json::object().set("run_id", plan.run_id).dump() + "\n"
                  : plan.run_id + "\n");
    return ExitStatus::Done;
}

ExitStatus list(const ap::Arguments &arguments, ap::Sqlite &database)
{
    ap::RunFilter filter;
    filter.status = arguments.value("status");
    filter.limit = arguments.integer("limit", 1, most_runs).value_or(filter.limit);
    ap::Table table({"RUN", "STATUS", "PHASES", "FAILED", "TOKENS", "CREATED", "GOAL"});
    for (const ap::RunSummary &run : ap::list_runs(database, filter)) {
        if (arguments.has("json")) {
            ap::print(ap::run_to_json(run).dump() + "\n");
            continue;
        }
        table.add({run.run_id, run.status,
                   std::to_string(run.phases_complete) + "/" + std::to_string(run.phases),
                   std::to_string(run.phases_failed), ap::format_count(run.tokens_used),
                   ap::format_local(run.created_at), ap::printable(run.goal, 40)});
    }
    if (!arguments.has("json")) {
        ap::print(table.text());
    }
    return ExitStatus::Done;
}

std::string elapsed(const ap::PhaseSummary &phase)
{
    if (!phase.started_at) {
        return "-";
    }
    const ap::UnixMs end = phase.ended_at.value_or(ap::SystemClock().now());
    return ap::format_duration(
        std::chrono::milliseconds(std::max<int64_t>(0, end - *phase.started_at)));
}

ExitStatus show(const ap::Arguments &arguments, ap::Sqlite &database)
{
    const std::string &run_id = arguments.operands()[0];
    const ap::RunSummary run = ap::show_run(database, run_id);
    const std::vector<ap::PhaseSummary> phases = ap::list_phases(database, run_id);
    if (arguments.has("json")) {
        ap::Json list = ap::Json::array();
        for (const ap::PhaseSummary &phase : phases) {
            list.append(ap::phase_to_json(phase));
        }
        ap::print(ap::run_to_json(run).set("phase_list", list).dump() + "\n");
        return ExitStatus::Done;
    }
    ap::print("run " + run.run_id + ": " + run.status +
              (run.reason ? " (" + *run.reason + ")" : "") +
              (run.paused ? ", paused" : "") + "\n" +
              (run.goal.empty() ? "" : "goal: " + ap::printable(run.goal) + "\n") +
              "tokens: " + std::to_string(run.tokens_used) + " of " +
              std::to_string(run.token_cap) + "\n\n");
    ap::Table table(
        {"PHASE", "TIER", "STATUS", "ATTEMPTS", "TOKENS", "ELAPSED", "REASON"});
    for (const ap::PhaseSummary &phase : phases) {
        table.add({phase.phase_id, phase.tier_id, phase.status,
                   std::to_string(phase.attempts), ap::format_count(phase.tokens_used),
                   elapsed(phase), ap::printable(phase.reason.value_or(""), 80)});
    }
    ap::print(table.text());
    return ExitStatus::Done;
}

ExitStatus retry(const ap::Arguments &arguments, ap::Sqlite &database)
{
    const auto &operands = arguments.operands();
    const int64_t queued =
        ap::retry_run(database, operands[0],
                      operands.size() > 1 ? std::optional(operands[1]) : std::nullopt);
    if (arguments.has("json")) {
        ap::print(ap::Json::object().set("phases_queued", queued).dump() + "\n");
    }
    return ExitStatus::Done;
}

ExitStatus manage(const ap::Arguments &arguments)
{
    const std::string_view verb = arguments.verb();
    if (verb == "create") {
        return create(arguments);
    }
    const bool writes = verb == "retry" || verb == "delete";
    ap::State state(ap::state_paths(arguments.value("db")),
                    writes ? ap::State::Access::Write : ap::State::Access::Read,
                    spec.name);
    if (verb == "list") {
        return list(arguments, state.database());
    }
    if (verb == "show") {
        return show(arguments, state.database());
    }
    if (verb == "retry") {
        return retry(arguments, state.database());
    }
    if (verb == "delete") {
        ap::delete_run(state, arguments.operands()[0]);
        return ExitStatus::Done;
    }
    ap::print(ap::export_run(state.database(), arguments.operands()[0]).dump_pretty());
    return ExitStatus::Done;
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, manage);
}
