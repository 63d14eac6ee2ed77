#include "check.hh"
#include "support.hh"

#include "domain/llm_budget.hh"
#include "domain/run.hh"

using namespace ap;

namespace {

// A run of 1000 tokens and 5 dollars with a phase of 800 tokens, and a cent a token.
class Fixture
{
public:
    Fixture()
        : prices(PriceList::from_json(
              Json::parse(R"({"models": {"dear": {"input": 10000, "output": 10000}}})",
                          "prices"),
              "prices"))
    {
        const std::string text = R"({"run_id": "r", "token_cap": 1000, "cost_cap_usd": 5,
            "phases": [{"id": "a", "command": ["true"], "token_cap": 800}]})";
        create_run(database.get(), parse_plan(text, "p"), text, TokenCaps(), clock);
    }

    LlmBudget budget(const std::string &phase = "a")
    {
        return {database.get(), {"r", phase, 1}, prices, clock};
    }

    int64_t total(const std::string &column, const std::string &phase = "a")
    {
        return database.get().query_integer(
            "SELECT " + column + " FROM budgets WHERE phase_id = '" + phase + "'");
    }

    check::TemporaryDatabase database;
    check::ManualClock clock;
    PriceList prices;
};

void reserves_input_and_output_and_settles_to_what_was_used()
{
    Fixture fixture;
    LlmBudget budget = fixture.budget();
    CHECK_EQUAL(budget.reserve("m", 100, 300), 300);
    CHECK_EQUAL(fixture.total("tokens_reserved"), 400);
    CHECK_EQUAL(fixture.total("tokens_reserved", ""), 400);
    Usage usage;
    usage.prompt_tokens = 60;
    usage.completion_tokens = 20;
    budget.settle(usage, 0);
    CHECK_EQUAL(fixture.total("tokens_reserved"), 0);
    CHECK_EQUAL(fixture.total("tokens_used"), 80);
    CHECK_EQUAL(
        fixture.database.get().query_integer("SELECT attempt FROM llm_usage_events"), 1);
}

void gives_the_answer_what_is_left()
{
    Fixture fixture;
    CHECK_EQUAL(fixture.budget().reserve("m", 100, 5000), 700);
    Fixture other;
    CHECK_EQUAL(other.budget("").reserve("m", 100, std::nullopt), 900);
}

void refuses_when_too_little_is_left_for_an_answer()
{
    Fixture fixture;
    const auto is_exhausted = [](const Error &error) {
        CHECK(error.status() == ExitStatus::BudgetExhausted);
    };
    CHECK_THROWS(fixture.budget().reserve("m", 600, 5000), Error, is_exhausted);
    CHECK_EQUAL(fixture.total("tokens_reserved"), 0);
    // An answer that is asked to be short may be.
    CHECK_EQUAL(fixture.budget().reserve("m", 600, 100), 100);
    CHECK_THROWS(fixture.budget().reserve("m", 600, 101), Error, is_exhausted);
}

void money_limits_the_answer_too()
{
    Fixture fixture;
    LlmBudget budget = fixture.budget();
    // A cent a token, five dollars: 500 tokens in all.
    const int64_t output = budget.reserve("dear", 100, 700);
    CHECK(output >= least_output);
    CHECK(output <= 400);
    CHECK_EQUAL(fixture.total("cost_reserved_microusd"), (100 + output) * 10'000);
    Usage usage;
    usage.prompt_tokens = 10;
    usage.completion_tokens = 20;
    budget.settle(usage, 0);
    CHECK_EQUAL(fixture.total("cost_used_microusd"), 300'000);
    CHECK_EQUAL(fixture.total("cost_reserved_microusd"), 0);
}

void the_account_comes_from_the_environment()
{
    unsetenv("AUTOPACK_RUN_ID");
    CHECK(!llm_account_from_environment().has_value());
    setenv("AUTOPACK_RUN_ID", "r", 1);
    setenv("AUTOPACK_PHASE_ID", "a", 1);
    setenv("AUTOPACK_ATTEMPT", "3", 1);
    const auto account = llm_account_from_environment();
    CHECK_EQUAL(account->run_id, "r");
    CHECK_EQUAL(account->phase_id, "a");
    CHECK_EQUAL(account->attempt.value_or(0), 3);
    setenv("AUTOPACK_ATTEMPT", "third", 1);
    CHECK_THROWS(llm_account_from_environment(), Error,
                 [](const Error &error) { CHECK(error.status() == ExitStatus::Config); });
    unsetenv("AUTOPACK_RUN_ID");
    unsetenv("AUTOPACK_PHASE_ID");
    unsetenv("AUTOPACK_ATTEMPT");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(reserves_input_and_output_and_settles_to_what_was_used),
        TEST(gives_the_answer_what_is_left),
        TEST(refuses_when_too_little_is_left_for_an_answer),
        TEST(money_limits_the_answer_too),
        TEST(the_account_comes_from_the_environment),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
