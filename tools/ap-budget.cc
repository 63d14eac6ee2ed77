#include "cli/listing.hh"
#include "cli/tool.hh"
#include "domain/budget_options.hh"
#include "domain/budget_report.hh"
#include "domain/control.hh"
#include "domain/llm_budget.hh"
#include "domain/usage_reconciliation.hh"

#include <cstdio>
#include <cstdlib>

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'t', "tokens", "N", "set, set-day: the token cap; reserve: tokens to reserve"},
    {'c', "cost-usd", "X", "dollars: a cap (or none), what is reserved or was used"},
    {'f', "file", "PATH",
     "report, reconcile: read usage as JSON lines (- for standard input)"},
    {0, "prompt-tokens", "N", "what was used: input tokens, cached ones included"},
    {0, "completion-tokens", "N", "what was used: output tokens"},
    {0, "model", "NAME", "report, settle: the model"},
    {0, "provider", "NAME", "report, settle: the provider"},
    {0, "request-id", "ID", "report: counted once, however often it is reported"},
    {0, "purpose", "TEXT", "reserve: what for"},
    {0, "release", "", "settle: nothing was used"},
    {'i', "interval", "D", "watch: how often to look (default 1s)"},
    {0, "json", "", "print JSON"},
    {0, "db", "PATH", "database (default: AUTOPACK_DB or autopack.db)"},
};

constexpr ap::Verb verbs[] = {
    {"show", "RUN [PHASE]", "print the budgets of a run, or of one phase", 1, 2},
    {"report", "[RUN [PHASE]]", "record usage", 0, 2},
    {"set", "RUN [PHASE]", "change a cap", 1, 2},
    {"show-day", "[DAY]", "print what all runs use on a day (UTC; default today)", 0, 1},
    {"set-day", "", "change the caps of every day", 0, 0},
    {"reserve", "RUN [PHASE]", "reserve tokens and print the reservation", 1, 2},
    {"settle", "ID", "replace a reservation by what was used", 1, 1},
    {"estimates", "RUN", "list the calls that were settled at an estimate", 1, 1},
    {"reconcile", "RUN [CALL]", "replace estimates by what the provider says", 1, 2},
    {"watch", "RUN", "print the totals when they change, until the run ends", 1, 1},
};

constexpr ap::ToolSpec spec = {.name = "ap-budget",
                               .summary = "show, report, cap and reserve token budgets",
                               .options = options,
                               .verbs = verbs};

std::string operand_or_variable(const ap::Arguments &arguments, size_t index,
                                const char *variable)
{
    const char *value = std::getenv(variable);
    return index < arguments.operands().size() || value == nullptr
               ? arguments.operand(index)
               : value;
}

ap::OptionValue values_of(const ap::Arguments &arguments)
{
    return [&](std::string_view name) { return arguments.value(name); };
}

ExitStatus show(const ap::Arguments &arguments, ap::Sqlite &database)
{
    const std::string run = arguments.operand(0);
    const std::string phase = arguments.operand(1);
    ap::Listing listing(arguments.has("json"), ap::budget_headings());
    for (const ap::Budget &budget : ap::list_budgets(database, run, phase)) {
        const std::string name = budget.phase_id.empty() ? run : "  " + budget.phase_id;
        listing.add(ap::budget_to_json(budget).dump(), ap::budget_row(name, budget));
    }
    listing.finish();
    return ExitStatus::Done;
}

ExitStatus report(const ap::Arguments &arguments, ap::State &state)
{
    const std::string run = operand_or_variable(arguments, 0, "AUTOPACK_RUN_ID");
    const std::string phase =
        arguments.operands().size() == 1
            ? ""
            : operand_or_variable(arguments, 1, "AUTOPACK_PHASE_ID");
    if (run.empty()) {
        throw ap::UsageError("no run: give RUN or set AUTOPACK_RUN_ID");
    }
    return ap::report_usage(state, run, phase, ap::reported_usage(values_of(arguments)),
                            ap::SystemClock())
               ? ExitStatus::BudgetExhausted
               : ExitStatus::Done;
}

ExitStatus set(const ap::Arguments &arguments, ap::State &state)
{
    ap::set_budget(state.database(), arguments.operand(0), arguments.operand(1),
                   ap::cap_options(values_of(arguments)));
    ap::wake_executors(state.paths(), arguments.operand(0));
    return ExitStatus::Done;
}

ExitStatus show_day(const ap::Arguments &arguments, ap::Sqlite &database)
{
    const ap::DayBudget budget = ap::show_day_budget(
        database, ap::day_operand(arguments.operand(0), ap::SystemClock()));
    ap::Listing listing(arguments.has("json"), ap::day_headings());
    listing.add(ap::day_budget_to_json(budget).dump(), ap::day_row(budget));
    listing.finish();
    return ExitStatus::Done;
}

ExitStatus reserve(const ap::Arguments &arguments, ap::Sqlite &database)
{
    ap::ReservationRequest request = ap::reservation_options(values_of(arguments));
    request.run_id = arguments.operand(0);
    request.phase_id = arguments.operand(1);
    const int64_t id = ap::reserve(database, request, ap::SystemClock());
    ap::print(arguments.has("json")
                  ? ap::Json::object().set("reservation_id", id).dump() + "\n"
                  : std::to_string(id) + "\n");
    return ExitStatus::Done;
}

ExitStatus settle(const ap::Arguments &arguments, ap::Sqlite &database)
{
    ap::settle(database, ap::reservation_operand(arguments.operand(0)),
               ap::settled_usage(values_of(arguments)), ap::SystemClock());
    return ExitStatus::Done;
}

ExitStatus estimates(const ap::Arguments &arguments, ap::Sqlite &database)
{
    ap::Listing listing(arguments.has("json"), ap::estimate_headings());
    ap::for_each_estimate(
        database, arguments.operand(0), [&](const ap::EstimatedCall &call) {
            listing.add(ap::estimate_to_json(call).dump(), ap::estimate_row(call));
        });
    listing.finish();
    return ExitStatus::Done;
}

ExitStatus reconcile(const ap::Arguments &arguments, ap::State &state)
{
    const ap::OptionValue value = values_of(arguments);
    ap::reconcile_usage(state.database(), arguments.operand(0),
                        ap::told_usage(arguments.operand(1), value),
                        ap::installed_prices(), ap::SystemClock());
    ap::wake_executors(state.paths(), arguments.operand(0));
    return ExitStatus::Done;
}

ExitStatus watch(const ap::Arguments &arguments, ap::Sqlite &database)
{
    const auto interval =
        arguments.duration("interval").value_or(std::chrono::seconds(1));
    if (interval.count() == 0) {
        throw ap::UsageError("--interval: expected more than 0");
    }
    const auto print_budget = [&](const ap::Budget &budget) {
        ap::print((arguments.has("json") ? ap::budget_to_json(budget).dump()
                                         : ap::budget_line(budget)) +
                  "\n");
        static_cast<void>(std::fflush(stdout));
    };
    return ap::watch_budget(database, arguments.operand(0), interval, print_budget)
                   .exceeded()
               ? ExitStatus::BudgetExhausted
               : ExitStatus::Done;
}

ExitStatus manage(const ap::Arguments &arguments)
{
    const std::string_view verb = arguments.verb();
    const bool reads =
        verb == "show" || verb == "show-day" || verb == "estimates" || verb == "watch";
    ap::State state(ap::state_paths(arguments.value("db")),
                    reads ? ap::State::Access::Read : ap::State::Access::Write,
                    spec.name);
    ap::Sqlite &database = state.database();
    if (verb == "set-day") {
        ap::set_day_caps(database, ap::day_cap_options(values_of(arguments)));
        return ExitStatus::Done;
    }
    return verb == "show"        ? show(arguments, database)
           : verb == "report"    ? report(arguments, state)
           : verb == "set"       ? set(arguments, state)
           : verb == "show-day"  ? show_day(arguments, database)
           : verb == "reserve"   ? reserve(arguments, database)
           : verb == "settle"    ? settle(arguments, database)
           : verb == "estimates" ? estimates(arguments, database)
           : verb == "reconcile" ? reconcile(arguments, state)
                                 : watch(arguments, database);
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, manage);
}
