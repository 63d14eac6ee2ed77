#pragma once

#include "domain/control.hh"

#include <array>
#include <string>
#include <string_view>

namespace ap {

/// One of the files in the runs directory that people write requests into.
struct ControlFile
{
    std::string_view name;
    ControlVerb verb;         ///< the only one its lines may hold
    std::string_view expects; ///< how a line looks, for messages
};

inline constexpr std::array<ControlFile, 3> control_files{{
    {".stop_executor", ControlVerb::Stop, "stop:RUN"},
    {".abort_run", ControlVerb::Abort, "abort:RUN"},
    {".force_timeout", ControlVerb::Timeout, "timeout:PHASE or timeout:RUN/PHASE"},
}};

/// What a line of a control file is to the executors of one run.
struct ControlLine
{
    enum class Kind {
        Nothing,  ///< empty or a comment
        Ours,     ///< to be submitted
        Foreign,  ///< for another run: not to be touched
        Nonsense, ///< for nobody
    };

    Kind kind = Kind::Nothing;
    std::string phase_id; ///< of a timeout that is ours
    std::string reason;   ///< why it is nonsense
};

/// Decides whom `line` of `file` addresses, as seen from `run_id`, by what runs and
/// phases there are now.
ControlLine read_control_line(Sqlite &database, std::string_view run_id,
                              const ControlFile &file, std::string_view line);

} // namespace ap
