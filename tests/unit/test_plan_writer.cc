#include "check.hh"

#include "domain/plan.hh"
#include "domain/plan_writer.hh"

using namespace ap;

namespace {

const PlanMatter matter{"Add --json", "src/main.c\n", "add-json"};

void the_run_and_the_goal_are_the_persons()
{
    const Json plan = read_written_plan(
        R"(Sure: {"run_id": "other", "goal": "something else",
           "phases": [{"id": "a", "goal": "g"}]})",
        matter);
    CHECK_EQUAL(plan.get_string("run_id").value_or(""), "add-json");
    CHECK_EQUAL(plan.get_string("goal").value_or(""), "Add --json");
    const Plan read = parse_plan(plan.dump(), "p");
    CHECK_EQUAL(read.tiers.at(0).phases.at(0).id, "a");
}

void a_plan_with_faults_is_refused_with_all_reasons()
{
    CHECK_THROWS(read_written_plan(R"({"phases": [{"id": "a"}, {"id": "a",
                     "goal": "g", "depends_on": ["z"]}]})",
                                   matter),
                 PlanError,
                 [](const PlanError &error) { CHECK_EQUAL(error.faults().size(), 3u); });
    CHECK_THROWS(read_written_plan("I cannot do that.", matter), Error,
                 [](const Error &error) {
                     CHECK(error.status() == ExitStatus::BadData);
                     CHECK_EQUAL(std::string_view(error.what()),
                                 "expected one JSON object, got 'I cannot do that.'");
                 });
}

void the_form_that_models_are_shown_is_one_that_is_read()
{
    for (const std::string_view member : {"run_id", "tiers", "acceptance", "check",
                                          "complexity", "depends_on", "merge"}) {
        CHECK(planner_instructions.find("\"" + std::string(member) + "\"") !=
              std::string_view::npos);
    }
}

void the_prompt_has_all_of_the_matter_in_blocks()
{
    const std::string prompt = planner_prompt({"g ``` h", "map", "r"});
    CHECK(prompt.find("````\ng ``` h\n````\n") != std::string::npos);
    CHECK(prompt.find("map") != std::string::npos);
    CHECK(prompt.find("\"r\"") != std::string::npos);
}

void an_id_is_made_of_the_goals_words()
{
    CHECK_EQUAL(run_id_from("Add a --json option, please!"), "add-a-json-option-please");
    CHECK_EQUAL(run_id_from("  \xc3\xa9\xc3\xa9 "), "plan");
    CHECK_EQUAL(run_id_from(std::string(100, 'x')).size(), 40u);
    CHECK_EQUAL(run_id_from(std::string(39, 'x') + " y"), std::string(39, 'x'));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(the_run_and_the_goal_are_the_persons),
        TEST(a_plan_with_faults_is_refused_with_all_reasons),
        TEST(the_form_that_models_are_shown_is_one_that_is_read),
        TEST(the_prompt_has_all_of_the_matter_in_blocks),
        TEST(an_id_is_made_of_the_goals_words),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
