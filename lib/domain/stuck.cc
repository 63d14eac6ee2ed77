#include "domain/stuck.hh"

#include <algorithm>

namespace ap {

namespace {

using Builds = std::vector<Build>;

// The failed builds that count: those of the last model, behind the last that a person
// was asked about.
Builds counted(const Builds &builds)
{
    Builds failed;
    for (const Build &build : builds) {
        if (build.status == "FAILED") {
            if (!failed.empty() && failed.back().level != build.level) {
                failed.clear();
            }
            failed.push_back(build);
            if (build.approval_id) {
                failed.clear();
            }
        }
    }
    return failed;
}

template <typename Fits>
int run_at_end(const Builds &builds, Fits fits)
{
    int count = 0;
    for (auto build = builds.rbegin(); build != builds.rend() && fits(*build); ++build) {
        count++;
    }
    return count;
}

struct Burn
{
    int64_t tokens = 0;
    int builds = 0;
};

Burn since_progress(const Builds &builds)
{
    Burn burn;
    int furthest = -1;
    for (const Build &build : builds) {
        if (static_cast<int>(build.stage) > furthest) {
            furthest = static_cast<int>(build.stage);
            burn = {};
            continue;
        }
        burn.tokens += build.tokens;
        burn.builds++;
    }
    return burn;
}

} // namespace

std::string stuck_reason(const Builds &builds, int64_t token_cap, const StuckRules &rules)
{
    const Builds failed = counted(builds);
    if (failed.empty()) {
        return {};
    }
    const BuildFailure &last = failed.back().failure;
    const int same = run_at_end(failed, [&](const Build &build) {
        return build.failure.signature == last.signature;
    });
    if (same >= rules.same_failure) {
        return "the same failure " + std::to_string(same) + " times: " + last.reason;
    }
    const int empty = run_at_end(
        failed, [](const Build &build) { return build.stage < BuildStage::Applied; });
    if (empty >= rules.no_change) {
        return "no change that can be applied in " + std::to_string(empty) + " builds";
    }
    const Burn burn = since_progress(failed);
    if (token_cap > 0 && burn.builds >= rules.burn_builds &&
        burn.tokens >= token_cap / 100 * rules.burn_percent) {
        return std::to_string(burn.tokens) + " tokens without progress in " +
               std::to_string(burn.builds) + " builds";
    }
    return {};
}

NextBuild next_build(const Builds &builds, int64_t token_cap, bool strongest,
                     StuckPolicy policy, const StuckRules &rules)
{
    const int64_t level = builds.empty() ? 0 : builds.back().level;
    const std::string stuck = stuck_reason(builds, token_cap, rules);
    const auto failures = static_cast<int>(counted(builds).size());
    if (!strongest && (!stuck.empty() || failures >= rules.escalate_after)) {
        return {NextBuild::Step::Build, level + 1,
                stuck.empty() ? std::to_string(failures) + " failures with one model"
                              : stuck};
    }
    if (stuck.empty()) {
        return {NextBuild::Step::Build, level};
    }
    switch (policy) {
    case StuckPolicy::Review:
        return {NextBuild::Step::Review, level, stuck};
    case StuckPolicy::Skip:
        return {NextBuild::Step::Skip, level, stuck};
    case StuckPolicy::Fail:
        break;
    }
    return {NextBuild::Step::Fail, level, stuck};
}

} // namespace ap
