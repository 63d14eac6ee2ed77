#include "domain/plan_positions.hh"
#include "domain/plan_reader.hh"

#include <array>

namespace ap {

namespace {

using std::chrono::milliseconds;

constexpr auto members_of_approval =
    std::to_array<std::string_view>({"summary", "timeout", "default"});

bool read_default(ObjectReader &reader)
{
    const std::string word = reader.text("default").value_or("no");
    if (word != "no" && word != "yes") {
        reader.faults().expected(reader.pointer_to("default"), "\"no\" or \"yes\"",
                                 reader.get("default"));
    }
    return word == "yes";
}

} // namespace

std::span<const std::string_view> approval_members()
{
    return members_of_approval;
}

std::optional<PhaseApproval> read_phase_approval(ObjectReader &phase_reader)
{
    if (!phase_reader.has("approval")) {
        return std::nullopt;
    }
    ObjectReader reader(phase_reader.get("approval"), phase_reader.pointer_to("approval"),
                        members_of_approval, phase_reader.faults());
    PhaseApproval approval;
    approval.summary = reader.label("summary").value_or(
        "start phase " + phase_reader.text("id").value_or(""));
    approval.timeout =
        reader.duration("timeout", milliseconds(1)).value_or(approval.timeout);
    approval.granted_on_expiry = read_default(reader);
    return approval;
}

Json phase_approval_to_json(const PhaseApproval &approval)
{
    return Json::object()
        .set("summary", approval.summary)
        .set("timeout", duration_text(approval.timeout))
        .set("default", approval.granted_on_expiry ? "yes" : "no");
}

std::string duration_text(milliseconds length)
{
    return length.count() % 1000 == 0 ? std::to_string(length.count() / 1000) + "s"
                                      : std::to_string(length.count()) + "ms";
}

} // namespace ap
