#pragma once

#include "base/clock.hh"
#include "wrap/sqlite.hh"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// How far a build came; each stage is reached when the one before is done.
enum class BuildStage { Asked, Answered, Applied, Checked, Audited, Committed };

/// Why a build failed.
struct BuildFailure
{
    /// "no-answer", "malformed", "no-change", "out-of-scope", "rejected", "check",
    /// "audit" or "conflict".
    std::string failure_class;
    std::string key;       ///< which of its kind, as other phases may have it, too
    std::string signature; ///< the same for the very same failure
    std::string reason;    ///< one line
};

/// One build of a phase's goal: a change asked for, applied, checked, audited and
/// committed, or not.
struct Build
{
    std::string run_id;
    std::string phase_id;
    int64_t number = 0; ///< from 1
    std::string status; ///< OPEN, COMMITTED or FAILED
    int64_t level = 0;  ///< of the model, 0 is the weakest
    std::string model;
    BuildStage stage = BuildStage::Asked;
    int64_t tokens = 0;
    BuildFailure failure;
    std::string commit_id;
    std::optional<int64_t> approval_id; ///< what a person was asked
    UnixMs started_at = 0;

    bool open() const noexcept { return status == "OPEN"; }
};

/// All builds of the phase, the oldest first.
std::vector<Build> list_builds(Sqlite &database, std::string_view run_id,
                               std::string_view phase_id);

/// Opens the next build of the phase.
Build open_build(Sqlite &database, std::string_view run_id, std::string_view phase_id,
                 int64_t level, std::string_view model, const Clock &clock);

/// Records how far an open build came, what it used, and what a person was asked.
void note_build(Sqlite &database, const Build &build);

/// Ends an open build: as FAILED with its `failure`, or as COMMITTED with its commit_id.
void end_build(Sqlite &database, Build &build, std::string_view status,
               const Clock &clock);

/// Records that a person is asked about a build that has ended.
void note_build_approval(Sqlite &database, const Build &build);

/// Phases, as "RUN/PHASE", of which a build failed in this way; oldest first, at most
/// `limit`.
std::vector<std::string> phases_with_failure(Sqlite &database,
                                             std::string_view failure_class,
                                             std::string_view key, int64_t limit);

} // namespace ap
