#pragma once

#include "domain/lease.hh"

#include <optional>
#include <string>

namespace ap {

/// What ap-build tells the executor of how it ended, in `verdict.json` of the attempt's
/// directory: {"next": "retry", "reason": TEXT, "until": TIME}.
struct BuildVerdict
{
    PhaseNext next = PhaseNext::Retry;
    std::string reason;          ///< one line
    std::optional<UnixMs> until; ///< Wait: when to look again at the latest
};

/// Where it is.
std::string verdict_path(const std::string &directory);

/// Writes it atomically; `directory` is the attempt's.
void write_build_verdict(const std::string &directory, const BuildVerdict &verdict);

/// Reads it; nothing if there is none or it is not what write_build_verdict() wrote, as
/// after the death of ap-build.
std::optional<BuildVerdict> read_build_verdict(const std::string &directory);

} // namespace ap
