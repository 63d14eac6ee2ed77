// Before cmocka, whose macro takes the name of a function.
#include "domain/quality_gate.hh"

#include "check.hh"

using namespace ap;

namespace {

GateDecision::Kind kind(bool checks, AuditVerdict verdict, Risk risk,
                        bool approved = false)
{
    return pass_gate({checks, verdict, risk, Risk::Medium, approved}).kind;
}

void a_sound_change_within_the_limit_passes()
{
    CHECK(kind(true, AuditVerdict::Approve, Risk::Medium) == GateDecision::Kind::Pass);
    CHECK(kind(true, AuditVerdict::Minor, Risk::Low) == GateDecision::Kind::Pass);
}

void a_risk_above_the_limit_needs_a_person()
{
    CHECK(kind(true, AuditVerdict::Approve, Risk::High) == GateDecision::Kind::Ask);
    CHECK(kind(true, AuditVerdict::Approve, Risk::High, true) ==
          GateDecision::Kind::Pass);
}

void no_approval_helps_against_a_failing_check_or_a_major_issue()
{
    CHECK(kind(false, AuditVerdict::Approve, Risk::High, true) ==
          GateDecision::Kind::Fail);
    CHECK(kind(true, AuditVerdict::Major, Risk::Low, true) == GateDecision::Kind::Fail);
    CHECK_EQUAL(pass_gate({false, AuditVerdict::Major, Risk::Low}).reasons.size(), 2u);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_sound_change_within_the_limit_passes),
        TEST(a_risk_above_the_limit_needs_a_person),
        TEST(no_approval_helps_against_a_failing_check_or_a_major_issue),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
