#pragma once

#include "domain/apply_rules.hh"
#include "domain/change_plan.hh"

#include <string_view>
#include <vector>

namespace ap {

/// What is wrong with the names of a plan's files taken together: one that is a file and
/// a directory, or two that differ in case only, which elsewhere are one.
std::vector<RefusedPath> refuse_names(const ChangePlan &plan, const ApplyRules &rules);

/// The limits of files, lines and deletions that a plan breaks.
std::vector<RefusedPath> refuse_amount(const ChangePlan &plan, const ApplyRules &rules);

/// The lines between those that both texts begin and end with.
LineCount differing_lines(std::string_view before, std::string_view after);

} // namespace ap
