#include "domain/control_request.hh"

#include "base/text.hh"
#include "domain/batch_job.hh"
#include "domain/integrity.hh"
#include "domain/lease.hh"
#include "domain/run.hh"
#include "sys/fifo.hh"

#include <thread>

namespace ap {

namespace {

using namespace std::chrono_literals;

constexpr auto poll_interval = 5ms;

void wake(State &state, const std::string &run_id)
{
    try {
        write_fifo_line(control_fifo_path(state.paths(), run_id), "wake");
    } catch (const Error &error) {
        // Nobody reads it yet, or its reader is stuck; the wake file may still reach it.
        wake_executors(state.paths(), run_id);
        if (error.status() != ExitStatus::Unavailable) {
            throw;
        }
    }
}

std::string wait_for_answer(State &state, int64_t control_id,
                            std::chrono::milliseconds wait)
{
    const auto deadline = std::chrono::steady_clock::now() + wait;
    while (true) {
        const Control control = show_control(state.database(), control_id);
        if (control.applied_at) {
            return control.outcome.value_or("");
        }
        if (wait == 0ms) {
            return "recorded";
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            throw Error(ExitStatus::TryAgain,
                        "the request is recorded, but no executor has answered in " +
                            format_duration(wait));
        }
        std::this_thread::sleep_for(poll_interval);
    }
}

// Nobody executes the run: what can be done without an executor is done here.
std::string control_idle_run(State &state, const ControlRequest &request,
                             const Clock &clock)
{
    if (request.verb == ControlVerb::Stop) {
        throw Error(ExitStatus::Unavailable,
                    "no executor is running '" + printable(request.run_id) + "'");
    }
    const int64_t id = submit_control(state.database(), request.run_id, request.verb,
                                      request.phase_id, request.source, clock);
    forget_dead_processes(state, request.run_id);
    if (request.verb == ControlVerb::Abort &&
        has_open_batch_jobs(state.database(), request.run_id)) {
        throw Error(ExitStatus::TryAgain,
                    "the request is recorded; the run has batch jobs, which the next "
                    "ap-exec ends");
    }
    if (request.verb == ControlVerb::Abort) {
        abort_run(state.database(), request.run_id, "aborted on request", clock);
        apply_control(state.database(), id, "aborted; nothing was executing", clock);
    }
    return show_control(state.database(), id).outcome.value_or("recorded");
}

} // namespace

std::string request_control(State &state, const ControlRequest &request,
                            const Clock &clock)
{
    Sqlite &database = state.database();
    if (!run_standing(database, request.run_id).ended() &&
        !has_live_executor(database, request.run_id)) {
        return control_idle_run(state, request, clock);
    }
    const int64_t id = submit_control(database, request.run_id, request.verb,
                                      request.phase_id, request.source, clock);
    wake(state, request.run_id);
    return wait_for_answer(state, id, request.wait);
}

} // namespace ap
