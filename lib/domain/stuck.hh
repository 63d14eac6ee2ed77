#pragma once

#include "domain/builds.hh"
#include "domain/plan.hh"

#include <string>
#include <vector>

namespace ap {

/// When builds of a phase count as stuck.
struct StuckRules
{
    int same_failure = 3;   ///< the same signature so many times in a row
    int no_change = 3;      ///< no change that could be applied so many times in a row
    int burn_percent = 50;  ///< of the phase's cap used since the last progress,
    int burn_builds = 3;    ///< in so many builds
    int escalate_after = 2; ///< failures with one model before the next is asked
};

/// Why the builds are stuck, as one line; empty if they are not. Those up to the last
/// that a person was asked about, and those of weaker models, do not count. Progress is a
/// build that came further than all before it.
std::string stuck_reason(const std::vector<Build> &builds, int64_t token_cap,
                         const StuckRules &rules = {});

/// What is to be done after a failed build.
struct NextBuild
{
    enum class Step {
        Build,  ///< again, with the model of `level`
        Review, ///< a person decides whether it goes on
        Skip,
        Fail,
    };
    Step step = Step::Build;
    int64_t level = 0;
    std::string reason{}; ///< of everything but Build with the same model
};

/// Decides by the builds so far, the last of which has failed. A stronger model is asked
/// after so many failures with one, or at once when stuck; when the strongest is stuck,
/// `policy` decides. `strongest`: whether the last build's model is that.
NextBuild next_build(const std::vector<Build> &builds, int64_t token_cap, bool strongest,
                     StuckPolicy policy, const StuckRules &rules = {});

} // namespace ap
