#pragma once

#include "domain/tree_change.hh"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// How much a change deserves a person's look; ap-apply(1) has the rules.
enum class Risk { None, Low, Medium, High };

/// "none", "low", "medium" or "high".
std::string_view risk_name(Risk risk);

/// The risk of that name; nothing for another.
std::optional<Risk> risk_from(std::string_view name);

/// How many lines a change adds and removes.
struct LineCount
{
    int64_t added = 0;
    int64_t removed = 0;
};

/// A file of the change with its lines counted.
struct WeighedFile
{
    const TreeChange *change;
    LineCount lines;
};

/// The risk, and why it is that: one phrase for each rule that says medium or high.
struct RiskVerdict
{
    Risk risk = Risk::None;
    std::vector<std::string> reasons;
};

/// Weighs a change by its lines, deletions and the kinds of files it touches.
RiskVerdict weigh_risk(const std::vector<WeighedFile> &files);

} // namespace ap
