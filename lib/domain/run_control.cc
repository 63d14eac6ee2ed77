#include "domain/run_control.hh"

#include "base/text.hh"
#include "domain/integrity.hh"
#include "domain/lease.hh"
#include "domain/run.hh"
#include "sys/fifo.hh"

namespace ap {

namespace {

void wake(const StatePaths &paths, std::string_view run_id)
{
    try {
        write_fifo_line(control_fifo_path(paths, run_id), "wake");
    } catch (const Error &error) {
        // Nobody reads it yet, or its reader is stuck; the wake file may still reach it.
        wake_executors(paths, run_id);
        if (error.status() != ExitStatus::Unavailable) {
            throw;
        }
    }
}

// Nobody executes the run: what can be done without an executor is done here.
int64_t control_idle_run(State &state, std::string_view run_id, ControlVerb verb,
                         std::string_view phase_id, std::string_view source,
                         const Clock &clock)
{
    if (verb == ControlVerb::Stop) {
        throw Error(ExitStatus::Unavailable,
                    "no executor is running '" + printable(run_id) + "'");
    }
    Sqlite &database = state.database();
    const int64_t id = submit_control(database, run_id, verb, phase_id, source, clock);
    forget_dead_processes(state, run_id);
    if (verb == ControlVerb::Abort) {
        abort_run(database, run_id, "aborted on request", clock);
        apply_control(database, id, "aborted; nothing was executing", clock);
    }
    return id;
}

} // namespace

Control request_control(State &state, std::string_view run_id, ControlVerb verb,
                        std::string_view phase_id, std::string_view source,
                        const Clock &clock)
{
    Sqlite &database = state.database();
    int64_t id = 0;
    if (!run_standing(database, run_id).ended() && !has_live_executor(database, run_id)) {
        id = control_idle_run(state, run_id, verb, phase_id, source, clock);
    } else {
        id = submit_control(database, run_id, verb, phase_id, source, clock);
        wake(state.paths(), run_id);
    }
    return show_control(database, id);
}

} // namespace ap
