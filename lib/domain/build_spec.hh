#pragma once

#include "domain/plan_reader.hh"

#include <span>
#include <string_view>

namespace ap {

/// Attempts that a phase with a goal has if the plan does not say.
inline constexpr int usual_build_attempts = 5;

/// How hard a goal is, and what is done when a build makes no progress, as plans name it.
std::string_view complexity_name(Complexity complexity);
std::string_view stuck_policy_name(StuckPolicy policy);

/// The complexity of that name; nothing for another.
std::optional<Complexity> complexity_from(std::string_view name);

/// The members of a phase that describe a goal and those that only a command can have.
std::span<const std::string_view> build_members();
std::span<const std::string_view> models_members();

/// "fast-forward" or "commit".
std::string_view merge_policy_name(MergePolicy policy);

/// Records a fault unless the phase has exactly one of `command`, `goal` and `merge`, and
/// for each member that only fits a command beside the other two.
void check_kind_of_work(ObjectReader &reader);

/// Reads `merge`; nothing if the phase has none.
std::optional<MergePolicy> read_merge(ObjectReader &reader);

/// Reads `goal` and the members that go with it; nothing, and a fault for each such
/// member, if the phase has no goal.
std::optional<BuildSpec> read_build(ObjectReader &reader);

/// Sets the members that read_build() reads in `phase`.
void set_build(Json &phase, const BuildSpec &build);

} // namespace ap
