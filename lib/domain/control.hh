#pragma once

#include "base/clock.hh"
#include "domain/state.hh"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// What a user may ask of the executors of a run.
enum class ControlVerb {
    Stop,    ///< finish what executes, then exit; the run can be resumed
    Abort,   ///< end what executes now; the run ends aborted
    Timeout, ///< treat one phase as if its time were up
    Pause,   ///< start no further phase until resumed
    Resume,
};

std::string_view control_verb_name(ControlVerb verb);
std::optional<ControlVerb> control_verb_of(std::string_view name);

/// A recorded request.
struct Control
{
    int64_t control_id = 0;
    ControlVerb verb{};
    std::string phase_id; ///< for Timeout
    std::optional<UnixMs> applied_at;
    std::optional<std::string> outcome;
};

/// Records a request durably, where every executor of the run finds it: stop and abort in
/// runs.requested (abort overrides stop) and as a pending row of `controls`, pause and
/// resume in runs.paused with a row that is applied at once, timeout as a pending row.
/// `source` is "ap-ctl", "file", "fifo" or "signal". Logs a control.requested event.
/// Returns the row's id. Throws Error(NoInput) if the run (or a timeout's phase) does not
/// exist, Error(BadData) if the run or that phase has ended, before anything is written.
/// Joins the caller's transaction or makes one.
int64_t submit_control(Sqlite &database, std::string_view run_id, ControlVerb verb,
                       std::string_view phase_id, std::string_view source,
                       const Clock &clock);

/// The run's requests that no executor has applied, oldest first. Served by an index of
/// pending rows alone.
std::vector<Control> pending_controls(Sqlite &database, std::string_view run_id);

/// Marks a request as applied with what came of it ("phase p2 ended"), and logs a
/// control.applied event. Does nothing if it was applied before.
void apply_control(Sqlite &database, int64_t control_id, std::string_view outcome,
                   const Clock &clock);

Control show_control(Sqlite &database, int64_t control_id);

/// Wakes every executor of the run, so that it looks into the database again, by touching
/// `<run directory>/.wake`, which they watch. Silent if the directory is not there.
void wake_executors(const StatePaths &paths, std::string_view run_id) noexcept;

/// The control FIFO of a run, `<run directory>/control`. Lines: "stop", "abort",
/// "timeout PHASE", "pause", "resume", or "wake" (look into the database).
std::string control_fifo_path(const StatePaths &paths, std::string_view run_id);

/// Takes a line of the control FIFO and submits what it asks for ("wake": nothing).
/// Throws Error(BadData) for nonsense, and what submit_control throws.
void submit_control_line(Sqlite &database, std::string_view run_id, std::string_view line,
                         const Clock &clock);

/// The control files in the runs directory that people write with echo:
///   .stop_executor   lines "stop:RUN"
///   .abort_run       lines "abort:RUN"
///   .force_timeout   lines "timeout:PHASE" or "timeout:RUN/PHASE"
class ControlFiles
{
public:
    ControlFiles(State &state, std::string_view run_id, const Clock &clock);

    /// The names of the three files, for a DirectoryWatch.
    static bool is_control_file(std::string_view name);

    /// Reads the three files, submits every line that addresses this run, and takes those
    /// lines out; what addresses other runs stays. The file is only rewritten if a line
    /// in it is ours, under a lock shared by all executors, and the requests are
    /// committed before their lines go, so that a crash repeats a request and never loses
    /// one. Lines that are nonsense (or name no run of the database) are appended to
    /// `<name>.rejected` with the time and taken out, with a control.rejected event. A
    /// "timeout:PHASE" without a run is ours if the phase executes in this run; or if it
    /// is queued in this run and no other run has an executing phase of that id. A file
    /// that is no regular file or larger than 64 KiB is moved to `<name>.rejected` whole.
    /// Returns whether something was submitted.
    bool take();

private:
    State &state_;
    std::string run_id_;
    const Clock &clock_;
};

} // namespace ap
