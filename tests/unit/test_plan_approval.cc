#include "check.hh"
#include "support.hh"

#include "domain/plan.hh"
#include "domain/plan_reader.hh"

using namespace ap;
using namespace std::chrono_literals;

namespace {

PhaseSpec phase_with(const std::string &approval)
{
    const std::string text =
        R"({"run_id": "r", "phases": [{"id": "p", "command": "true", "approval": )" +
        approval + "}]}";
    return parse_plan(text, "plan").tiers[0].phases[0];
}

void an_empty_approval_has_safe_defaults()
{
    const PhaseSpec phase = phase_with("{}");
    CHECK(phase.approval.has_value());
    CHECK_EQUAL(phase.approval->summary, "start phase p");
    CHECK(phase.approval->timeout == 24h);
    CHECK(!phase.approval->granted_on_expiry);
}

void an_approval_is_stored_and_read_back()
{
    const PhaseSpec phase =
        phase_with(R"({"summary": "deploy", "timeout": "1500ms", "default": "yes"})");
    const PhaseSpec again = phase_spec_from_json(phase_spec_to_json(phase).dump());
    CHECK_EQUAL(again.approval->summary, "deploy");
    CHECK(again.approval->timeout == 1500ms);
    CHECK(again.approval->granted_on_expiry);
}

void faults_are_named()
{
    CHECK_THROWS(phase_with(R"({"default": "maybe", "until": 1})"), PlanError,
                 [](const PlanError &error) {
                     CHECK_EQUAL(error.faults().size(), 2u);
                     CHECK_EQUAL(error.faults()[0].pointer, "/phases/0/approval/default");
                     CHECK_EQUAL(error.faults()[1].pointer, "/phases/0/approval/until");
                 });
    CHECK_THROWS(phase_with(R"("yes")"), PlanError, [](const PlanError &) {});
}

void agrees_with_the_json_schema()
{
    const char *source = std::getenv("AP_SOURCE");
    CHECK(source != nullptr);
    const Json schema = Json::parse(
        read_file(std::string(source) + "/docs/plan.schema.json", longest_plan),
        "schema");
    const Json members = schema.get("$defs")
                             .get("phase")
                             .get("properties")
                             .get("approval")
                             .get("properties");
    CHECK_EQUAL(members.size(), approval_members().size());
    for (const std::string_view name : approval_members()) {
        CHECK(members.get(name));
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(an_empty_approval_has_safe_defaults),
        TEST(an_approval_is_stored_and_read_back),
        TEST(faults_are_named),
        TEST(agrees_with_the_json_schema),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
