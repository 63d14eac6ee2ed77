#pragma once

#include "domain/apply_risk.hh"
#include "domain/audit.hh"

#include <string>
#include <vector>

namespace ap {

/// What is known of a change when it is to go in.
struct GateInput
{
    bool checks_passed = false;
    AuditVerdict verdict = AuditVerdict::Major;
    Risk risk = Risk::High;
    Risk risk_limit = Risk::Medium;
    bool approved = false; ///< a person said yes to this change
};

/// What becomes of it.
struct GateDecision
{
    enum class Kind { Pass, Fail, Ask };
    Kind kind = Kind::Fail;
    std::vector<std::string> reasons; ///< one phrase each
};

/// Decides by rules alone: a change with failing checks or major issues fails, whoever
/// approves it; one of a risk above the limit needs a person; everything else passes.
GateDecision pass_gate(const GateInput &input);

/// "pass", "fail" or "ask".
std::string_view gate_decision_name(GateDecision::Kind kind);

} // namespace ap
