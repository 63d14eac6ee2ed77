#pragma once

#include "domain/apply.hh"
#include "domain/tree_change.hh"
#include "sys/tree.hh"

#include <vector>

namespace ap {

/// What a patch makes of a tree, and what of it may not be or cannot be.
struct ChangePlan
{
    std::vector<TreeChange>
        changes; ///< sorted by path; files that stay the same left out
    std::vector<AppliedFile> files;
    std::vector<RejectedHunk> rejected;
    std::vector<RefusedPath> refused;
};

/// Computes in memory what `patch` does to `tree` under the rules, with the files of the
/// patch in its order, each finding what those before it have made. All that is wrong is
/// collected, so that a model hears of it at once. Throws only system errors.
ChangePlan plan_change(const Tree &tree, const Patch &patch, const ApplyRules &rules,
                       int fuzz);

} // namespace ap
