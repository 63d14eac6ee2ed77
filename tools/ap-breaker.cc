#include "base/text.hh"
#include "cli/table.hh"
#include "cli/tool.hh"
#include "domain/breaker.hh"
#include "domain/state.hh"
#include "sys/child.hh"

#include <chrono>

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'p', "probe", "ID", "success, failure: the probe that allow printed"},
    {'d', "duration", "D", "success, failure: how long the call took"},
    {'r', "reason", "TEXT", "failure, open: why"},
    {'a', "retry-after", "D", "failure: how long the service asked to be left alone"},
    {'A', "all", "", "reset: every breaker"},
    {0, "failure-threshold", "N", "set: failures in a row that open it (0: never)"},
    {0, "success-threshold", "N", "set: successes in half-open that close it"},
    {0, "open-for", "D", "set: how long it stays open the first time"},
    {0, "half-open-probes", "N", "set: probes at once, over all processes"},
    {0, "window-calls", "N", "set: sliding window of N calls"},
    {0, "window", "D", "set: sliding window of time"},
    {0, "failure-rate", "X", "set: share of failures in the window that opens it"},
    {0, "slow-after", "D", "set: a call this long is slow"},
    {0, "slow-rate", "X", "set: share of slow calls in the window that opens it"},
    {0, "json", "", "print JSON"},
    {0, "db", "PATH", "database file (default: AUTOPACK_DB or autopack.db)"},
};

constexpr ap::Verb verbs[] = {
    {"list", "", "print all breakers", 0, 0},
    {"show", "NAME", "print one breaker", 1, 1},
    {"run", "NAME -- CMD...", "run a command if the breaker allows it", 2, 100'000},
    {"allow", "NAME", "ask: status 0 if a call may go ahead, 81 if not", 1, 1},
    {"success", "NAME", "report a call that went well", 1, 1},
    {"failure", "NAME", "report a call that failed", 1, 1},
    {"open", "NAME", "hold it open until it is closed or reset", 1, 1},
    {"close", "NAME", "close it", 1, 1},
    {"disable", "NAME", "let everything pass and count nothing", 1, 1},
    {"reset", "[NAME]", "close it with nothing counted", 0, 1},
    {"set", "NAME", "change when it opens and closes", 1, 1},
};

constexpr ap::ToolSpec spec = {.name = "ap-breaker",
                               .summary = "circuit breakers that all processes share",
                               .options = options,
                               .verbs = verbs};

int64_t duration_of(const ap::Arguments &arguments, std::string_view option,
                    int64_t fallback)
{
    const auto text = arguments.value(option);
    const auto duration = text ? ap::parse_duration(*text) : std::nullopt;
    if (text && !duration) {
        throw ap::UsageError("--" + std::string(option) +
                             ": expected a duration such as 90s, got '" +
                             ap::printable(*text) + "'");
    }
    return duration ? duration->count() : fallback;
}

double share_of(const ap::Arguments &arguments, std::string_view option, double fallback)
{
    const auto text = arguments.value(option);
    const auto share = text ? ap::parse_decimal(*text) : std::nullopt;
    if (text && !share) {
        throw ap::UsageError("--" + std::string(option) +
                             ": expected a number up to 1, got '" + ap::printable(*text) +
                             "'");
    }
    return share.value_or(fallback);
}

ap::BreakerConfig config_of(const ap::Arguments &arguments, ap::BreakerConfig config)
{
    constexpr int64_t most = 1'000'000;
    const auto count = [&](std::string_view option, int64_t fallback) {
        return arguments.integer(option, 0, most).value_or(fallback);
    };
    config.failure_threshold = count("failure-threshold", config.failure_threshold);
    config.success_threshold = count("success-threshold", config.success_threshold);
    config.half_open_probes = count("half-open-probes", config.half_open_probes);
    config.window_calls = count("window-calls", config.window_calls);
    config.open_ms = duration_of(arguments, "open-for", config.open_ms);
    config.longest_open_ms = std::max(config.longest_open_ms, config.open_ms);
    config.window_ms = duration_of(arguments, "window", config.window_ms);
    config.slow_ms = duration_of(arguments, "slow-after", config.slow_ms);
    config.failure_rate = share_of(arguments, "failure-rate", config.failure_rate);
    config.slow_rate = share_of(arguments, "slow-rate", config.slow_rate);
    return config;
}

void print_breakers(const ap::Arguments &arguments,
                    const std::vector<ap::Breaker> &breakers)
{
    ap::Table table({"BREAKER", "STATE", "FAILURES", "RETRY AT", "REASON"});
    for (const ap::Breaker &breaker : breakers) {
        if (arguments.has("json")) {
            ap::print(ap::breaker_to_json(breaker).dump() + "\n");
            continue;
        }
        table.add({breaker.name, std::string(ap::breaker_state_name(breaker.state)),
                   std::to_string(breaker.failure_count),
                   breaker.retry_at ? ap::format_local(*breaker.retry_at) : "-",
                   ap::printable(breaker.reason.value_or(""), 60)});
    }
    if (!arguments.has("json")) {
        ap::print(table.text());
    }
}

[[noreturn]] void refuse(const std::string &name, const ap::BreakerPermit &permit)
{
    throw ap::Error(ExitStatus::BreakerOpen,
                    "breaker '" + name + "' is open" +
                        (permit.retry_at
                             ? "; try again at " + ap::format_local(*permit.retry_at)
                             : std::string("; it is held open until it is reset")));
}

ExitStatus run(const ap::Arguments &arguments, ap::Breakers &breakers)
{
    const std::string &name = arguments.operands()[0];
    const ap::BreakerPermit permit = breakers.allow(name);
    if (!permit.allowed) {
        refuse(name, permit);
    }
    const auto started = std::chrono::steady_clock::now();
    const ap::ChildResult child =
        ap::run_child({arguments.operands().begin() + 1, arguments.operands().end()});
    const int64_t took = std::chrono::duration_cast<std::chrono::milliseconds>(
                             std::chrono::steady_clock::now() - started)
                             .count();
    if (child.interrupted) {
        breakers.cancel(name, permit.probe_id);
    } else if (child.status == 0) {
        breakers.success(name, took, permit.probe_id);
    } else {
        breakers.failure(name, "exit status " + std::to_string(child.status), took,
                         permit.probe_id);
    }
    return static_cast<ExitStatus>(child.status);
}

ExitStatus allow(const std::string &name, ap::Breakers &breakers)
{
    const ap::BreakerPermit permit = breakers.allow(name);
    if (!permit.allowed) {
        refuse(name, permit);
    }
    if (permit.probe_id) {
        ap::print(std::to_string(*permit.probe_id) + "\n");
    }
    return ExitStatus::Done;
}

void change(const ap::Arguments &arguments, ap::Breakers &breakers,
            const std::string &name)
{
    const std::string_view verb = arguments.verb();
    const std::string reason = arguments.value("reason").value_or("");
    const auto probe = arguments.integer("probe", 1, INT64_MAX);
    const int64_t duration = duration_of(arguments, "duration", 0);
    if (verb == "success") {
        breakers.success(name, duration, probe);
    } else if (verb == "failure") {
        breakers.failure(name, reason.empty() ? "reported" : reason, duration, probe,
                         duration_of(arguments, "retry-after", 0));
    } else if (verb == "open") {
        breakers.force_open(name, reason.empty() ? "opened by hand" : reason);
    } else if (verb == "close") {
        breakers.close(name);
    } else if (verb == "disable") {
        breakers.disable(name);
    } else {
        ap::BreakerConfig config;
        for (const ap::Breaker &breaker : breakers.list()) {
            config = breaker.name == name ? breaker.config : config;
        }
        breakers.configure(name, config_of(arguments, config));
    }
}

ExitStatus manage(const ap::Arguments &arguments)
{
    const std::string_view verb = arguments.verb();
    const std::string name =
        arguments.operands().empty() ? std::string() : arguments.operands()[0];
    if (!name.empty() && !ap::is_identifier(name)) {
        throw ap::UsageError("'" + ap::printable(name) + "' cannot name a breaker");
    }
    const ap::SystemClock clock;
    ap::State state(ap::state_paths(arguments.value("db")), ap::State::Access::Create,
                    spec.name);
    ap::Breakers breakers(state.database(), clock);
    if (verb == "list") {
        print_breakers(arguments, breakers.list());
    } else if (verb == "show") {
        print_breakers(arguments, {breakers.show(name)});
    } else if (verb == "run") {
        return run(arguments, breakers);
    } else if (verb == "allow") {
        return allow(name, breakers);
    } else if (verb == "reset") {
        if (name.empty() != arguments.has("all")) {
            throw ap::UsageError("reset: give NAME or --all");
        }
        breakers.reset(name);
    } else {
        change(arguments, breakers, name);
    }
    return ExitStatus::Done;
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, manage);
}
