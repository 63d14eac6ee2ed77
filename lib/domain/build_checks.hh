#pragma once

#include "domain/plan.hh"
#include "wrap/json.hh"

#include <chrono>
#include <string>
#include <vector>

namespace ap {

/// How one check of a build went.
struct BuildCheck
{
    std::string name; ///< its command, as a person would write it
    bool passed = false;
    std::string how;  ///< "exited with status 2", "timed out", ...
    std::string tail; ///< the end of what it printed
};

/// Runs the checks one after the other in `directory`, each for at most `timeout`; all of
/// them, whether or not one fails. They get none of the providers' keys, whose owner did
/// not write what they execute.
std::vector<BuildCheck> run_build_checks(const std::vector<PlanCommand> &checks,
                                         const std::string &directory,
                                         std::chrono::milliseconds timeout);

bool all_passed(const std::vector<BuildCheck> &checks);

/// The checks for a person or a model: a line each, with what failing ones printed.
std::string checks_to_text(const std::vector<BuildCheck> &checks);

Json checks_to_json(const std::vector<BuildCheck> &checks);

/// What checks_to_json() wrote.
std::vector<BuildCheck> checks_from_json(const Json &json);

} // namespace ap
