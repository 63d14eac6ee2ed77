#pragma once

#include "wrap/json.hh"

#include <string>
#include <string_view>

namespace ap {

/// What a model is told that is to write a plan.
extern const std::string_view planner_instructions;

/// What a plan is to be written from.
struct PlanMatter
{
    std::string goal;
    std::string repository; ///< a map of it; may be empty
    std::string run_id;     ///< the plan's
};

/// The matter as a prompt, each part in a block that it cannot end.
std::string planner_prompt(const PlanMatter &matter);

/// The plan in a model's answer, with `run_id` and the goal set to the matter's. Throws
/// PlanError for a plan with faults, Error(BadData) for an answer without any plan.
Json read_written_plan(std::string_view answer, const PlanMatter &matter);

/// What a model is told whose plan was refused with these reasons.
std::string planner_repair(std::string_view reasons);

/// An id for a run, from the words of its goal: lower-case, at most 40 bytes.
std::string run_id_from(std::string_view goal);

} // namespace ap
