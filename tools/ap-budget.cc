#include "base/text.hh"
#include "cli/table.hh"
#include "cli/tool.hh"
#include "domain/budget.hh"
#include "domain/control.hh"
#include "domain/lease.hh"
#include "domain/state.hh"
#include "sys/path.hh"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'t', "tokens", "N", "set: the token cap; reserve: tokens to reserve"},
    {'c', "cost-usd", "X", "dollars: set a cap (or none), reserve, or report"},
    {'f', "file", "PATH", "report: read usage as JSON lines (- for standard input)"},
    {0, "prompt-tokens", "N", "report, settle: input tokens, cached ones included"},
    {0, "completion-tokens", "N", "report, settle: output tokens"},
    {0, "model", "NAME", "report, settle: the model"},
    {0, "provider", "NAME", "report, settle: the provider"},
    {0, "request-id", "ID", "report: counted once, however often it is reported"},
    {0, "purpose", "TEXT", "reserve: what for"},
    {0, "release", "", "settle: nothing was used"},
    {'i', "interval", "D", "watch: how often to look (default 1s)"},
    {0, "json", "", "print JSON"},
    {0, "db", "PATH", "database file (default: AUTOPACK_DB or autopack.db)"},
};

constexpr ap::Verb verbs[] = {
    {"show", "RUN [PHASE]", "print the budgets of a run, or of one phase", 1, 2},
    {"report", "[RUN [PHASE]]", "record usage", 0, 2},
    {"set", "RUN [PHASE]", "change a cap", 1, 2},
    {"reserve", "RUN [PHASE]", "reserve tokens and print the reservation", 1, 2},
    {"settle", "ID", "replace a reservation by what was used", 1, 1},
    {"watch", "RUN", "print the totals when they change, until the run ends", 1, 1},
};

constexpr ap::ToolSpec spec = {.name = "ap-budget",
                               .summary = "show, report, cap and reserve token budgets",
                               .options = options,
                               .verbs = verbs};

constexpr size_t largest_report = 64 << 20;

std::string operand(const ap::Arguments &arguments, size_t index, const char *variable)
{
    if (index < arguments.operands().size()) {
        return arguments.operands()[index];
    }
    const char *value = variable == nullptr ? nullptr : std::getenv(variable);
    return value == nullptr ? "" : value;
}

std::optional<int64_t> microusd(const ap::Arguments &arguments)
{
    const auto text = arguments.value("cost-usd");
    if (!text) {
        return std::nullopt;
    }
    const auto dollars = ap::parse_decimal(*text);
    if (!dollars || *dollars > 1e6) {
        throw ap::UsageError(
            "--cost-usd: expected a number of dollars up to 1000000, got '" +
            ap::printable(*text) + "'");
    }
    return std::llround(*dollars * 1e6);
}

ap::Usage usage_of_options(const ap::Arguments &arguments)
{
    const auto count = [&](std::string_view option) {
        return arguments.integer(option, 0, ap::largest_amount).value_or(0);
    };
    ap::Usage usage;
    usage.prompt_tokens = count("prompt-tokens");
    usage.completion_tokens = count("completion-tokens");
    usage.model = arguments.value("model").value_or("");
    usage.provider = arguments.value("provider").value_or("");
    usage.request_id = arguments.value("request-id");
    usage.cost_microusd = microusd(arguments).value_or(0);
    return usage;
}

// The records of a whole input, each read before the first is recorded.
std::vector<ap::Usage> usage_of_lines(const std::string &path)
{
    const std::string text = ap::read_file(path, largest_report);
    const std::string source = path == "-" ? "standard input" : path;
    std::vector<ap::Usage> records;
    int number = 0;
    for (const std::string_view line : ap::split(text, '\n')) {
        number++;
        if (ap::trim(line).empty()) {
            continue;
        }
        try {
            records.push_back(ap::usage_from_json(ap::Json::parse(line, "JSON")));
        } catch (const ap::Error &error) {
            throw ap::Error(error.status(), source + ": line " + std::to_string(number) +
                                                ": " + error.what() +
                                                "; nothing was recorded");
        }
    }
    return records;
}

std::string percent(const ap::Budget &budget)
{
    return budget.token_cap == 0
               ? "-"
               : std::to_string(budget.tokens_used * 100 / budget.token_cap) + "%";
}

std::string dollars(int64_t amount)
{
    std::string text = std::to_string(amount % 1'000'000);
    text.insert(0, 6 - text.size(), '0');
    return "$" + std::to_string(amount / 1'000'000) + "." + text.substr(0, 4);
}

void print_budgets(const ap::Arguments &arguments, const std::vector<ap::Budget> &budgets)
{
    ap::Table table({"BUDGET", "CAP", "USED", "RESERVED", "LEFT", "USE", "COST"});
    for (const ap::Budget &budget : budgets) {
        if (arguments.has("json")) {
            ap::print(ap::budget_to_json(budget).dump() + "\n");
            continue;
        }
        table.add({budget.phase_id.empty() ? budget.run_id : "  " + budget.phase_id,
                   std::to_string(budget.token_cap), std::to_string(budget.tokens_used),
                   std::to_string(budget.tokens_reserved),
                   std::to_string(budget.tokens_left()), percent(budget),
                   dollars(budget.cost_used_microusd)});
    }
    if (!arguments.has("json")) {
        ap::print(table.text());
    }
}

ExitStatus show(const ap::Arguments &arguments, ap::Sqlite &database)
{
    const std::string phase = operand(arguments, 1, nullptr);
    const std::string &run = arguments.operands()[0];
    print_budgets(arguments, phase.empty()
                                 ? ap::list_budgets(database, run)
                                 : std::vector{ap::show_budget(database, run, phase)});
    return ExitStatus::Done;
}

ExitStatus report(const ap::Arguments &arguments, ap::State &state)
{
    const std::string run = operand(arguments, 0, "AUTOPACK_RUN_ID");
    const std::string phase = arguments.operands().size() == 1
                                  ? ""
                                  : operand(arguments, 1, "AUTOPACK_PHASE_ID");
    if (run.empty()) {
        throw ap::UsageError("no run: give RUN or set AUTOPACK_RUN_ID");
    }
    const bool from_options =
        arguments.has("prompt-tokens") || arguments.has("completion-tokens");
    const std::vector<ap::Usage> records =
        from_options ? std::vector{usage_of_options(arguments)}
                     : usage_of_lines(arguments.value("file").value_or("-"));
    ap::Sqlite &database = state.database();
    const ap::SystemClock clock;
    ap::Transaction transaction(database);
    for (const ap::Usage &usage : records) {
        ap::record_usage(database, {run, phase, std::nullopt, "report", std::nullopt},
                         usage, clock);
    }
    const bool exceeded = ap::show_budget(database, run, "").exceeded() ||
                          ap::show_budget(database, run, phase).exceeded();
    transaction.commit();
    ap::wake_executors(state.paths(), run);
    return exceeded ? ExitStatus::BudgetExhausted : ExitStatus::Done;
}

ExitStatus set(const ap::Arguments &arguments, ap::State &state)
{
    ap::BudgetChange change;
    change.token_cap = arguments.integer("tokens", 0, ap::largest_amount);
    change.cost_cap_microusd =
        arguments.value("cost-usd") == "none" ? -1 : microusd(arguments);
    if (!change.token_cap && !change.cost_cap_microusd) {
        throw ap::UsageError("set: --tokens or --cost-usd is needed");
    }
    const std::string &run = arguments.operands()[0];
    ap::set_budget(state.database(), run, operand(arguments, 1, nullptr), change);
    ap::wake_executors(state.paths(), run);
    return ExitStatus::Done;
}

ExitStatus reserve(const ap::Arguments &arguments, ap::Sqlite &database)
{
    ap::ReservationRequest request;
    request.run_id = arguments.operands()[0];
    request.phase_id = operand(arguments, 1, nullptr);
    request.tokens = arguments.integer("tokens", 0, ap::largest_amount).value_or(0);
    request.cost_microusd = microusd(arguments).value_or(0);
    request.purpose = arguments.value("purpose").value_or("");
    if (request.tokens == 0 && request.cost_microusd == 0) {
        throw ap::UsageError("reserve: --tokens or --cost-usd is needed");
    }
    const int64_t id = ap::reserve(database, request, ap::SystemClock());
    ap::print(arguments.has("json")
                  ? ap::Json::object().set("reservation_id", id).dump() + "\n"
                  : std::to_string(id) + "\n");
    return ExitStatus::Done;
}

ExitStatus settle(const ap::Arguments &arguments, ap::Sqlite &database)
{
    const auto id = ap::parse_integer(arguments.operands()[0], 1, INT64_MAX);
    if (!id) {
        throw ap::UsageError("settle: expected the number of a reservation, got '" +
                             ap::printable(arguments.operands()[0]) + "'");
    }
    if (!arguments.has("release") && !arguments.has("prompt-tokens") &&
        !arguments.has("completion-tokens")) {
        throw ap::UsageError("settle: say what was used, or --release");
    }
    ap::settle(database, *id, usage_of_options(arguments), ap::SystemClock());
    return ExitStatus::Done;
}

ExitStatus watch(const ap::Arguments &arguments, ap::Sqlite &database)
{
    const auto interval = ap::parse_duration(arguments.value("interval").value_or("1s"));
    if (!interval || interval->count() == 0) {
        throw ap::UsageError("--interval: expected a duration such as 500ms, got '" +
                             ap::printable(*arguments.value("interval")) + "'");
    }
    const std::string &run = arguments.operands()[0];
    std::string before;
    while (true) {
        const bool ended = ap::run_standing(database, run).ended();
        const ap::Budget budget = ap::show_budget(database, run, "");
        const std::string now =
            arguments.has("json")
                ? ap::budget_to_json(budget).dump()
                : std::to_string(budget.tokens_used) + " of " +
                      std::to_string(budget.token_cap) + " tokens used, " +
                      std::to_string(budget.tokens_reserved) + " reserved, " +
                      dollars(budget.cost_used_microusd);
        if (std::exchange(before, now) != now) {
            ap::print(now + "\n");
            static_cast<void>(std::fflush(stdout));
        }
        if (ended) {
            return budget.exceeded() ? ExitStatus::BudgetExhausted : ExitStatus::Done;
        }
        std::this_thread::sleep_for(*interval);
    }
}

ExitStatus manage(const ap::Arguments &arguments)
{
    const std::string_view verb = arguments.verb();
    const bool reads = verb == "show" || verb == "watch";
    ap::State state(ap::state_paths(arguments.value("db")),
                    reads ? ap::State::Access::Read : ap::State::Access::Write,
                    spec.name);
    if (verb == "show") {
        return show(arguments, state.database());
    }
    if (verb == "report") {
        return report(arguments, state);
    }
    if (verb == "set") {
        return set(arguments, state);
    }
    if (verb == "reserve") {
        return reserve(arguments, state.database());
    }
    return verb == "settle" ? settle(arguments, state.database())
                            : watch(arguments, state.database());
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, manage);
}
