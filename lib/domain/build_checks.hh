#pragma once

#include "domain/check_run.hh"
#include "domain/plan.hh"
#include "wrap/json.hh"

#include <optional>
#include <string>
#include <vector>

namespace ap {

/// How the checks of a build are run, and which failures count.
struct BuildCheckOrder
{
    std::vector<Check> checks;
    CheckOptions options;
    KnownFailures known = KnownFailures::Fix;
};

/// The phase's checks, each for at most the phase's time, without what
/// withheld_from_checks() names. The directory is left to the caller.
BuildCheckOrder build_check_order(const PhaseSpec &phase,
                                  const std::vector<std::string> &key_variables);

/// What the checks say of a tree.
struct BuildChecks
{
    bool passed = true;
    std::string check;     ///< the first with a failure that counts
    std::string reason;    ///< one line: which, how it ended, and the test
    std::string signature; ///< what failed and how; times may differ
    std::string text;      ///< all of it, for a model or a person
    CheckBaseline outcome; ///< to be the baseline of a change of the tree
    Json summary;          ///< as ap-check(1) prints it
};

/// Runs the checks (none: they pass and say nothing), whether or not one fails, and
/// judges the tree by `baseline`, which they said of the tree before its change; without
/// one, every failure counts. With it all failures count as well, unless the order
/// accepts known ones: then a test that failed before may fail. A check that fails as a
/// whole counts in any case, as it may be the very one that the goal is to make pass.
BuildChecks run_build_checks(const BuildCheckOrder &order,
                             const std::optional<CheckBaseline> &baseline);

/// For a file, and back.
Json build_checks_to_json(const BuildChecks &checks);
BuildChecks build_checks_from_json(const Json &json, const std::string &source);

} // namespace ap
