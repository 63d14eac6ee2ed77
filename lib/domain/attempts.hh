#pragma once

#include "base/clock.hh"
#include "domain/state.hh"
#include "sys/process.hh"
#include "wrap/json.hh"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// One execution of a phase, as it is shown.
struct AttemptSummary
{
    int64_t number = 0;
    std::string status;
    std::optional<std::string> reason;
    std::optional<int64_t> exit_code;
    std::optional<int64_t> signal;
    std::optional<int64_t> duration_ms;
    UnixMs started_at = 0;
    std::optional<UnixMs> ended_at;
};

/// The phase's attempts, oldest first.
std::vector<AttemptSummary> list_attempts(Sqlite &database, std::string_view run_id,
                                          std::string_view phase_id);

/// An attempt that has no end yet, and the executor that has it.
struct OpenAttempt
{
    std::string run_id;
    std::string phase_id;
    int64_t number = 0;
    UnixMs started_at = 0;
    ProcessIdentity executor;
};

/// All open attempts, whosever; what it costs depends on their number alone.
std::vector<OpenAttempt> list_open_attempts(Sqlite &database);

/// The names of the output files an attempt has, sorted.
std::vector<std::string> list_attempt_logs(const StatePaths &paths,
                                           std::string_view run_id,
                                           std::string_view phase_id, int64_t number);

Json attempt_to_json(const AttemptSummary &attempt);

} // namespace ap
