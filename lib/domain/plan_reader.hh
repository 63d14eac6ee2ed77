#pragma once

#include "domain/plan.hh"
#include "wrap/json.hh"

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ap {

/// The faults found in a plan so far, by pointer; lines are looked up only when there is
/// something to report, so that a valid plan costs no second pass over its text.
class PlanFaults
{
public:
    void add(std::string pointer, std::string message);

    /// Adds "expected WHAT, got VALUE".
    void expected(std::string pointer, std::string_view what, const Json &got);

    bool empty() const noexcept { return found_.empty(); }

    /// "POINTER: MESSAGE" of the first fault added.
    std::string first() const;

    /// The faults in the order of `text`, which is the plan's.
    std::vector<PlanError::Fault> located(std::string_view text) const;

private:
    std::vector<std::pair<std::string, std::string>> found_;
};

/// Reads the members of one JSON object of a plan. Each call answers nothing for a member
/// that is missing or faulty; faults are recorded, missing ones only by require().
class ObjectReader
{
public:
    /// Records a fault if `object` is none, and one for each member not in `members`.
    ObjectReader(Json object, std::string pointer,
                 std::span<const std::string_view> members, PlanFaults &faults);

    /// Records a fault if the member is missing from an object.
    void require(std::string_view name);

    Json get(std::string_view name) const { return object_.get(name); }
    bool has(std::string_view name) const { return static_cast<bool>(get(name)); }
    std::string pointer_to(std::string_view name) const;
    const std::string &pointer() const noexcept { return pointer_; }
    PlanFaults &faults() const noexcept { return faults_; }

    /// Any string.
    std::optional<std::string> text(std::string_view name);

    /// A string of 1 to 200 bytes without control characters, fit for a table.
    std::optional<std::string> label(std::string_view name);

    /// A string that is_identifier() takes.
    std::optional<std::string> identifier(std::string_view name);

    std::optional<int64_t> integer(std::string_view name, int64_t low, int64_t high);
    std::optional<double> number(std::string_view name, double low, double high);

    /// The position in `values` of a string that must be one of them.
    std::optional<size_t> choice(std::string_view name,
                                 std::span<const std::string_view> values);

    /// "90s" or a number of seconds; `least` is the shortest allowed.
    std::optional<std::chrono::milliseconds> duration(std::string_view name,
                                                      std::chrono::milliseconds least);

    /// An amount of US dollars, in millionths.
    std::optional<int64_t> dollars(std::string_view name);

    /// An array of strings that `is_fit` takes; another element is a fault "expected
    /// `what`" and leaves an empty string, so that the others keep their indexes.
    std::vector<std::string> strings(std::string_view name, std::string_view what,
                                     bool (*is_fit)(std::string_view));

private:
    void wrong(std::string_view name, std::string_view what);

    Json object_;
    std::string pointer_;
    PlanFaults &faults_;
};

/// The members that an object of a plan may have, for the parser and the test that holds
/// the JSON Schema against it.
std::span<const std::string_view> plan_members();
std::span<const std::string_view> tier_members();
std::span<const std::string_view> phase_members();
std::span<const std::string_view> backoff_members();
std::span<const std::string_view> stdin_members();
std::span<const std::string_view> approval_members();
std::span<const std::string_view> slurm_members();
std::span<const std::string_view> agent_names();

/// Reads `launcher` and `slurm` of a phase, and the reverse.
void read_launcher(ObjectReader &reader, PhaseSpec &phase);
void set_launcher(Json &json, const PhaseSpec &phase);

/// "command", "all" or "none".
std::string_view gateway_use_name(GatewayUse use);

/// An array of the strings.
Json strings_to_json(const std::vector<std::string> &strings);

/// Reads one phase; faults are recorded under `pointer`. Its dependencies are not looked
/// up.
PhaseSpec read_phase(const Json &value, const std::string &pointer, PlanFaults &faults);

/// Reads the approval that a phase asks for, and writes it as the plan gives it.
std::optional<PhaseApproval> read_phase_approval(ObjectReader &phase_reader);
Json phase_approval_to_json(const PhaseApproval &approval);

/// A length of time as a plan gives it, to the millisecond.
std::string duration_text(std::chrono::milliseconds length);

/// Records what is wrong between the phases of `plan`: ids used twice, dependencies on
/// unknown phases, on later tiers, and circles. `pointers` names the phases' objects in
/// the plan's order.
void check_phase_graph(const Plan &plan, const std::vector<std::string> &pointers,
                       PlanFaults &faults);

} // namespace ap
