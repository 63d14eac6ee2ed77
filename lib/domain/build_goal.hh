#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ap {

/// How hard a goal is.
enum class Complexity { Low, Medium, High };

/// What becomes of a phase with a goal that makes no progress any more.
enum class StuckPolicy {
    Review, ///< a person is asked whether it is to go on
    Skip,   ///< the phase is skipped, with what depends on it
    Fail,
};

/// What tests that failed before the change are to do with it.
enum class KnownFailures {
    Fix,    ///< pass, as all others
    Accept, ///< anything
};

/// A goal in words that a model is to reach by a change of the repository, in place of a
/// command. Patterns are those of ap-apply(1), relative to the repository's top.
struct BuildSpec
{
    std::string goal;
    std::vector<std::string> scope;      ///< what may be changed; empty: all
    std::vector<std::string> read_only;  ///< what is shown besides, and not changed
    std::vector<std::string> acceptance; ///< criteria the auditor goes by
    std::string category = "general";    ///< chooses the model, with the complexity
    Complexity complexity = Complexity::Medium;
    std::string risk_limit = "medium"; ///< none to high; above it a person is asked
    std::string builder_model;         ///< empty: by the table of models
    std::string auditor_model;
    std::optional<int64_t> context_tokens; ///< the most that is shown of the repository
    KnownFailures known_failures = KnownFailures::Fix;
    int check_retries = 1; ///< of a check that fails, to tell what is flaky
    StuckPolicy on_stuck = StuckPolicy::Review;
    std::chrono::milliseconds approval_timeout{std::chrono::hours(24)}; ///< then: no
};

/// How the run's branch is merged into the one it started from.
enum class MergePolicy {
    FastForward, ///< the base branch is moved forward, unless it has gone on
    Commit,      ///< by a merge commit where it has gone on
};

} // namespace ap
