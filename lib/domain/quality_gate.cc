#include "domain/quality_gate.hh"

namespace ap {

GateDecision pass_gate(const GateInput &input)
{
    GateDecision decision;
    if (!input.checks_passed) {
        decision.reasons.emplace_back("a check fails");
    }
    if (input.verdict == AuditVerdict::Major) {
        decision.reasons.emplace_back("the auditor found a major issue");
    }
    if (!decision.reasons.empty()) {
        return decision;
    }
    if (input.risk > input.risk_limit && !input.approved) {
        decision.kind = GateDecision::Kind::Ask;
        decision.reasons.push_back("the risk is " + std::string(risk_name(input.risk)) +
                                   ", the limit " +
                                   std::string(risk_name(input.risk_limit)));
        return decision;
    }
    decision.kind = GateDecision::Kind::Pass;
    return decision;
}

std::string_view gate_decision_name(GateDecision::Kind kind)
{
    switch (kind) {
    case GateDecision::Kind::Pass:
        return "pass";
    case GateDecision::Kind::Fail:
        return "fail";
    case GateDecision::Kind::Ask:
        break;
    }
    return "ask";
}

} // namespace ap
