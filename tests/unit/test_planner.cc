#include "net/planner.hh"

#include "check.hh"
#include "questioner.hh"

#include "domain/plan.hh"

using namespace ap;
using check::ScriptedQuestioner;

namespace {

const std::string plan =
    R"({"phases": [{"id": "a", "goal": "Say good bye", "scope": ["src"]}]})";
const std::string faulty = R"({"phases": [{"id": "a", "gaol": "Say good bye"}]})";

const PlanMatter matter = {"Be polite", "src/hello.c\n", "polite"};

Json written(ScriptedQuestioner &questioner)
{
    ModelChoice model;
    model.model = "planner";
    model.max_output = 700;
    return write_plan(questioner, matter, model);
}

void a_plan_has_the_runs_id_and_the_goal_that_was_given()
{
    ScriptedQuestioner questioner({{"Here it is:\n```json\n" + plan + "\n```\n"}});
    const Json made = written(questioner);
    CHECK_EQUAL(made.get_string("run_id").value_or(""), "polite");
    CHECK_EQUAL(made.get_string("goal").value_or(""), "Be polite");
    CHECK_EQUAL(parse_plan(made.dump(), "p").tiers.at(0).phases.at(0).build->goal,
                "Say good bye");
    CHECK(check::contains(questioner.asked.at(0).text, "src/hello.c"));
    CHECK_EQUAL(questioner.asked.at(0).max_tokens.value_or(0), 700);
}

void a_refused_plan_goes_back_once_with_its_faults()
{
    ScriptedQuestioner questioner({{faulty}, {plan}});
    written(questioner);
    const LlmTurn &turn = questioner.asked.at(1).turns.at(0);
    CHECK_EQUAL(turn.answer, faulty);
    CHECK(check::contains(turn.reply, "unknown member \"gaol\""));
}

void a_plan_that_stays_refused_is_thrown_with_all_its_faults()
{
    ScriptedQuestioner questioner({{"no"}, {faulty}, {plan}});
    CHECK_THROWS(written(questioner), PlanError,
                 [](const PlanError &error) { CHECK_EQUAL(error.faults().size(), 2); });
    CHECK_EQUAL(questioner.asked.size(), 2);
}

void no_plan_at_all_is_bad_data()
{
    ScriptedQuestioner questioner({{"no"}, {"no, really"}});
    CHECK_THROWS(written(questioner), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
    });
}

void a_spent_budget_is_no_fault_of_the_plan()
{
    ScriptedQuestioner questioner({{faulty}});
    CHECK_THROWS(written(questioner), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BudgetExhausted);
    });
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_plan_has_the_runs_id_and_the_goal_that_was_given),
        TEST(a_refused_plan_goes_back_once_with_its_faults),
        TEST(a_plan_that_stays_refused_is_thrown_with_all_its_faults),
        TEST(no_plan_at_all_is_bad_data),
        TEST(a_spent_budget_is_no_fault_of_the_plan),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
