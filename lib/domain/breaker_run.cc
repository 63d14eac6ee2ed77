#include "domain/breaker_run.hh"

#include "base/error.hh"

#include <algorithm>

namespace ap {

namespace {

bool tells_nothing(const GuardedCommand &command, const ForegroundResult &result)
{
    const auto &ignored = command.ignored_statuses;
    return result.start_errno != 0 || result.interrupted ||
           std::find(ignored.begin(), ignored.end(), result.status) != ignored.end();
}

void report(Breakers &breakers, const GuardedCommand &command,
            const GuardedResult &result, int64_t duration_ms)
{
    if (tells_nothing(command, result.command)) {
        breakers.cancel(command.breaker, result.permit.probe_id);
        return;
    }
    const int status = result.command.status;
    const std::string reason = "exit status " + std::to_string(status);
    breakers.report(command.breaker, {.failed = status != 0,
                                      .reason = reason,
                                      .duration_ms = duration_ms,
                                      .probe_id = result.permit.probe_id,
                                      .slow_ms = command.slow_ms});
}

} // namespace

GuardedResult run_guarded(const StatePaths &paths, std::string_view tool,
                          const GuardedCommand &command, const Clock &clock)
{
    GuardedResult result;
    {
        State state(paths, State::Access::Create, tool);
        result.permit = Breakers(state.database(), clock).allow(command.breaker);
    }
    if (!result.permit.allowed) {
        return result;
    }
    const auto started = clock.monotonic();
    result.command = run_foreground(command.argv);
    const auto duration = clock.monotonic() - started;
    try {
        State state(paths, State::Access::Write, tool);
        Breakers breakers(state.database(), clock);
        report(breakers, command, result, duration.count());
    } catch (const Error &error) {
        // What the command came to is worth more to the caller than the breaker's count.
        result.report_error = error.what();
    }
    return result;
}

} // namespace ap
