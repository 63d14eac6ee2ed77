#include "base/text.hh"
#include "cli/listing.hh"
#include "cli/tool.hh"
#include "domain/breaker.hh"
#include "domain/breaker_config.hh"
#include "domain/breaker_run.hh"
#include "domain/state.hh"

#include <cstring>

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'s', "slow-after", "D", "run: slow if it took this long; set: the same for all"},
    {'i', "ignore-status", "LIST", "run: exit statuses (4,75) that tell nothing"},
    {'p', "probe", "ID", "success, failure: the probe that allow printed"},
    {'d', "duration", "D", "success, failure: how long the call took"},
    {'r', "reason", "TEXT", "failure, open: why"},
    {0, "retry-after", "D", "failure: how long the service asked to be left alone"},
    {0, "failure-threshold", "N", "set: failures in a row that open it (0: any number)"},
    {0, "success-threshold", "N", "set: successful probes that close it"},
    {0, "open-for", "D", "set: how long it stays open the first time"},
    {0, "probe-for", "D", "set: a probe not reported by then is given up"},
    {0, "backoff-factor", "X", "set: how much longer it opens each time again"},
    {0, "longest-open", "D", "set: how long it stays open at most"},
    {0, "half-open-probes", "N", "set: probes at once, over all processes"},
    {0, "window-calls", "N", "set: rates count over the last N calls"},
    {0, "window", "D", "set: rates count over the calls of the last D"},
    {0, "minimum-calls", "N", "set: calls in the window before a rate counts"},
    {0, "failure-rate", "X", "set: share of failed calls that opens it, up to 1"},
    {0, "slow-rate", "X", "set: share of slow calls that opens it, up to 1"},
    {'a', "all", "", "reset: every breaker"},
    {0, "json", "", "list, show: print JSON"},
    {0, "db", "PATH", "database (default: AUTOPACK_DB or autopack.db)"},
};

constexpr ap::Verb verbs[] = {
    {"list", "", "print all breakers", 0, 0},
    {"show", "BREAKER", "print one breaker and its settings", 1, 1},
    {"run", "BREAKER -- CMD [ARG...]", "run a command if the breaker allows it", 2,
     SIZE_MAX},
    {"allow", "BREAKER", "ask whether a call may go ahead: 0, or 81 if not", 1, 1},
    {"success", "BREAKER", "report a call that went well", 1, 1},
    {"failure", "BREAKER", "report a call that failed", 1, 1},
    {"open", "BREAKER", "hold it open until it is closed or reset", 1, 1},
    {"close", "BREAKER", "close it", 1, 1},
    {"disable", "BREAKER", "let everything pass and count nothing", 1, 1},
    {"reset", "BREAKER | --all", "close it, with nothing counted", 0, 1},
    {"set", "BREAKER", "change when it opens and closes", 1, 1},
};

constexpr ap::ToolSpec spec = {.name = "ap-breaker",
                               .summary = "circuit breakers that all processes share",
                               .options = options,
                               .verbs = verbs};

std::optional<int64_t> milliseconds(const ap::Arguments &arguments,
                                    std::string_view option)
{
    const auto length = arguments.duration(option);
    return length ? std::optional(length->count()) : std::nullopt;
}

std::vector<int64_t> ignored_statuses(const ap::Arguments &arguments)
{
    std::vector<int64_t> statuses;
    for (const std::string &list : arguments.values("ignore-status")) {
        for (const std::string_view item : ap::split(list, ',')) {
            const auto status = ap::parse_integer(item, 0, 255);
            if (!status) {
                throw ap::UsageError("--ignore-status: expected numbers up to 255 "
                                     "separated by commas, got '" +
                                     ap::printable(list) + "'");
            }
            statuses.push_back(*status);
        }
    }
    return statuses;
}

std::string instant(const std::optional<ap::UnixMs> &at)
{
    return at ? ap::format_local(*at) : "-";
}

void list(const ap::Arguments &arguments, ap::Breakers &breakers)
{
    ap::Listing listing(arguments.has("json"),
                        {"BREAKER", "STATE", "FAILURES", "PROBES", "RETRY AT", "REASON"});
    for (const ap::Breaker &breaker : breakers.list()) {
        listing.add(ap::breaker_to_json(breaker).dump(),
                    {breaker.name, std::string(ap::breaker_state_name(breaker.state)),
                     std::to_string(breaker.failure_count),
                     std::to_string(breaker.probes), instant(breaker.retry_at),
                     ap::printable(breaker.reason.value_or("-"), 60)});
    }
    listing.finish();
}

void show(const ap::Arguments &arguments, const ap::Breaker &breaker)
{
    if (arguments.has("json")) {
        ap::print(ap::breaker_to_json(breaker).dump() + "\n");
        return;
    }
    ap::Table table({"BREAKER", breaker.name});
    table.add({"state", std::string(ap::breaker_state_name(breaker.state))});
    table.add({"reason", ap::printable(breaker.reason.value_or("-"))});
    table.add({"failures in a row", std::to_string(breaker.failure_count)});
    table.add({"successful probes", std::to_string(breaker.success_count)});
    table.add({"probes under way", std::to_string(breaker.probes)});
    table.add({"opened at", instant(breaker.opened_at)});
    table.add({"retry at", instant(breaker.retry_at)});
    for (const ap::BreakerField &field : ap::breaker_fields()) {
        table.add(
            {std::string(field.setting), ap::breaker_field_text(breaker.config, field)});
    }
    ap::print(table.text());
}

ExitStatus run(const ap::Arguments &arguments, const ap::StatePaths &paths)
{
    const auto &operands = arguments.operands();
    const ap::GuardedCommand command = {.breaker = operands[0],
                                        .argv = {operands.begin() + 1, operands.end()},
                                        .slow_ms = milliseconds(arguments, "slow-after"),
                                        .ignored_statuses = ignored_statuses(arguments)};
    const ap::GuardedResult result =
        ap::run_guarded(paths, spec.name, command, ap::SystemClock());
    if (!result.permit.allowed) {
        throw ap::breaker_refusal(command.breaker, result.permit, ap::SystemClock());
    }
    if (!result.report_error.empty()) {
        ap::warn("breaker '" + command.breaker +
                 "' was not told the result: " + result.report_error);
    }
    const auto status = static_cast<ExitStatus>(result.command.status);
    if (result.command.start_errno != 0) {
        throw ap::Error(status, "cannot run '" + ap::printable(command.argv[0]) +
                                    "': " + std::strerror(result.command.start_errno));
    }
    return status;
}

void allow(const std::string &name, ap::Breakers &breakers)
{
    // The caller's probe must outlive this process.
    const ap::BreakerPermit permit = breakers.allow(name, ap::ProbeHolder::Nobody);
    if (!permit.allowed) {
        throw ap::breaker_refusal(name, permit, ap::SystemClock());
    }
    if (permit.probe_id) {
        ap::print(std::to_string(*permit.probe_id) + "\n");
    }
}

void report(const ap::Arguments &arguments, const std::string &name,
            ap::Breakers &breakers)
{
    const std::string reason = arguments.value("reason").value_or("");
    breakers.report(
        name, {.failed = arguments.verb() == "failure",
               .reason = reason,
               .duration_ms = milliseconds(arguments, "duration").value_or(0),
               .probe_id = arguments.integer("probe", 1, INT64_MAX),
               .retry_after_ms = milliseconds(arguments, "retry-after").value_or(0)});
}

void set(const ap::Arguments &arguments, const std::string &name, ap::Breakers &breakers)
{
    ap::BreakerConfig config = breakers.config(name);
    bool changed = false;
    for (const ap::BreakerField &field : ap::breaker_fields()) {
        if (const auto text = arguments.value(field.setting)) {
            ap::set_breaker_field(config, field, *text);
            changed = true;
        }
    }
    if (!changed) {
        throw ap::UsageError("set: nothing to set");
    }
    breakers.configure(name, config);
}

void reset(const ap::Arguments &arguments, const std::string &name,
           ap::Breakers &breakers)
{
    if (name.empty() != arguments.has("all")) {
        throw ap::UsageError("reset: give BREAKER or --all");
    }
    if (breakers.reset(name) == 0 && !name.empty()) {
        breakers.show(name); // throws: there is none
    }
}

// The verbs that put a breaker into a state whatever its calls came to.
void force(const ap::Arguments &arguments, const std::string &name,
           ap::Breakers &breakers)
{
    if (arguments.verb() == "open") {
        breakers.force_open(name, arguments.value("reason").value_or("opened by hand"));
    } else if (arguments.verb() == "close") {
        breakers.close(name);
    } else if (arguments.verb() == "disable") {
        breakers.disable(name);
    } else {
        reset(arguments, name, breakers);
    }
}

ExitStatus manage(const ap::Arguments &arguments)
{
    const std::string_view verb = arguments.verb();
    const std::string name = arguments.operand(0);
    if (!arguments.operands().empty() && !ap::is_identifier(name)) {
        throw ap::UsageError("'" + ap::printable(name) + "' cannot name a breaker");
    }
    const ap::StatePaths paths = ap::state_paths(arguments.value("db"));
    if (verb == "run") {
        return run(arguments, paths);
    }
    using Access = ap::State::Access;
    const Access access = verb == "list" || verb == "show"     ? Access::Read
                          : verb == "close" || verb == "reset" ? Access::Write
                                                               : Access::Create;
    ap::State state(paths, access, spec.name);
    const ap::SystemClock clock;
    ap::Breakers breakers(state.database(), clock);
    if (verb == "list") {
        list(arguments, breakers);
    } else if (verb == "show") {
        show(arguments, breakers.show(name));
    } else if (verb == "allow") {
        allow(name, breakers);
    } else if (verb == "success" || verb == "failure") {
        report(arguments, name, breakers);
    } else if (verb == "set") {
        set(arguments, name, breakers);
    } else {
        force(arguments, name, breakers);
    }
    return ExitStatus::Done;
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, manage);
}
