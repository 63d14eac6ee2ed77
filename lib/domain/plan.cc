#include "domain/plan.hh"

#include "base/text.hh"
#include "domain/budget.hh"
#include "domain/plan_positions.hh"
#include "domain/plan_reader.hh"

#include <array>
#include <set>

namespace ap {

namespace {

constexpr auto members_of_plan = std::to_array<std::string_view>(
    {"$schema", "run_id", "goal", "token_cap", "cost_cap_usd", "tiers", "phases"});

constexpr auto members_of_tier =
    std::to_array<std::string_view>({"id", "name", "phases"});

std::string fault_lines(std::string_view source,
                        const std::vector<PlanError::Fault> &faults)
{
    std::string lines;
    for (const PlanError::Fault &fault : faults) {
        lines += lines.empty() ? "" : "\n";
        lines += std::string(source) + ":" + std::to_string(fault.line) + ": ";
        lines += fault.pointer.empty() ? "" : printable(fault.pointer, 500) + ": ";
        lines += fault.message;
    }
    return lines;
}

/// What reading a plan carries along.
struct Reading
{
    Plan plan;
    PlanFaults faults;
    std::vector<std::string> phase_pointers; ///< in the plan's order
};

// The array `name`, which must have an element; nothing otherwise.
Json read_list(ObjectReader &reader, std::string_view name)
{
    Json list = reader.get(name);
    if (list.is_array() && list.size() > 0) {
        return list;
    }
    if (list.is_array()) {
        reader.faults().add(reader.pointer_to(name),
                            "expected at least one element, got an empty array");
    } else if (list) {
        reader.faults().expected(reader.pointer_to(name), "an array", list);
    }
    return {};
}

void read_phases(ObjectReader &reader, TierSpec &tier, Reading &reading)
{
    const Json list = read_list(reader, "phases");
    const std::string pointer = reader.pointer_to("phases");
    for (size_t i = 0; i < list.size(); i++) {
        const std::string at = json_pointer(pointer, i);
        tier.phases.push_back(read_phase(list.at(i), at, reading.faults));
        reading.phase_pointers.push_back(at);
    }
}

void read_tiers(ObjectReader &reader, Reading &reading)
{
    const Json list = read_list(reader, "tiers");
    const std::string pointer = reader.pointer_to("tiers");
    std::set<std::string> ids;
    for (size_t i = 0; i < list.size(); i++) {
        ObjectReader tier_reader(list.at(i), json_pointer(pointer, i), members_of_tier,
                                 reading.faults);
        tier_reader.require("id");
        tier_reader.require("phases");
        TierSpec tier;
        tier.id = tier_reader.identifier("id").value_or("");
        tier.name = tier_reader.label("name").value_or(tier.id);
        if (!tier.id.empty() && !ids.insert(tier.id).second) {
            reading.faults.add(tier_reader.pointer_to("id"),
                               "expected an id of its own, got \"" + tier.id +
                                   "\" again");
        }
        read_phases(tier_reader, tier, reading);
        reading.plan.tiers.push_back(std::move(tier));
    }
}

void read_stages(ObjectReader &reader, Reading &reading)
{
    if (reader.has("tiers") && reader.has("phases")) {
        reading.faults.add(reader.pointer_to("phases"),
                           "expected \"tiers\" or \"phases\", got both");
    }
    if (reader.has("tiers")) {
        read_tiers(reader, reading);
    } else if (reader.has("phases")) {
        TierSpec tier{"main", "main", {}};
        read_phases(reader, tier, reading);
        reading.plan.tiers.push_back(std::move(tier));
    } else {
        reading.faults.add("", "expected a member \"tiers\" or \"phases\", got none");
    }
}

void read_plan(const Json &json, const std::optional<std::string> &run_id,
               Reading &reading)
{
    ObjectReader reader(json, "", members_of_plan, reading.faults);
    if (!json.is_object()) {
        return;
    }
    if (!run_id) {
        reader.require("run_id");
    }
    reader.text("$schema");
    const auto own_run_id = reader.identifier("run_id");
    reading.plan.run_id = run_id ? *run_id : own_run_id.value_or("");
    reading.plan.goal = reader.text("goal").value_or("");
    reading.plan.token_cap = reader.integer("token_cap", 0, largest_amount);
    reading.plan.cost_cap_microusd = reader.dollars("cost_cap_usd");
    read_stages(reader, reading);
    check_phase_graph(reading.plan, reading.phase_pointers, reading.faults);
}

} // namespace

PlanError::PlanError(std::string_view source, std::vector<Fault> faults)
    : Error(ExitStatus::BadData, fault_lines(source, faults))
    , faults_(std::move(faults))
{
}

std::span<const std::string_view> plan_members()
{
    return members_of_plan;
}

std::span<const std::string_view> tier_members()
{
    return members_of_tier;
}

Plan parse_plan(std::string_view text, std::string_view source,
                const std::optional<std::string> &run_id)
{
    if (text.size() > longest_plan) {
        throw Error(ExitStatus::BadData, std::string(source) +
                                             ": expected a plan of at most 16 MiB, got " +
                                             std::to_string(text.size()) + " bytes");
    }
    if (run_id && !is_identifier(*run_id)) {
        throw Error(ExitStatus::BadData,
                    "run id: expected 1 to 128 letters, digits, '.', '_' and '-', "
                    "starting with a letter or digit, got '" +
                        printable(*run_id) + "'");
    }
    Reading reading;
    read_plan(Json::parse(text, source), run_id, reading);
    if (!reading.faults.empty()) {
        throw PlanError(source, reading.faults.located(text));
    }
    return std::move(reading.plan);
}

} // namespace ap
