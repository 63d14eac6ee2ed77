#include "check.hh"

#include "domain/model_table.hh"
#include "sys/path.hh"

#include <cstdlib>

using namespace ap;

namespace {

ModelTable table_of(const std::string &builder)
{
    return ModelTable::from_json(
        Json::parse("{\"builder\": " + builder +
                        R"(, "auditor": [{"models": ["judge"], "max_output": 9}],
                           "planner": []})",
                    "t"),
        "t");
}

const std::string rows = R"([
    {"models": ["any"], "max_output": 1},
    {"complexity": "low", "models": ["low"], "max_output": 2},
    {"category": "docs", "models": ["docs"], "max_output": 3},
    {"category": "docs", "complexity": "low", "models": ["both"], "max_output": 4},
    {"category": "docs", "complexity": "low", "models": ["again"], "max_output": 5}])";

void the_most_exact_row_decides_and_the_first_of_equals()
{
    const ModelTable table = table_of(rows);
    const auto model = [&](std::string_view category, Complexity complexity) {
        return table.choose(ModelRole::Builder, category, complexity, 0).model;
    };
    CHECK_EQUAL(model("code", Complexity::High), "any");
    CHECK_EQUAL(model("code", Complexity::Low), "low");
    CHECK_EQUAL(model("docs", Complexity::High), "docs");
    CHECK_EQUAL(model("docs", Complexity::Low), "both");
}

void levels_end_at_the_strongest()
{
    const ModelTable table = table_of(R"([{"models": ["a", "b"], "max_output": 100}])");
    const auto at = [&](int64_t level) {
        return table.choose(ModelRole::Builder, "x", Complexity::Medium, level);
    };
    CHECK_EQUAL(at(0).model, "a");
    CHECK(!at(0).strongest);
    CHECK_EQUAL(at(1).model, "b");
    CHECK(at(1).strongest);
    CHECK_EQUAL(at(7).model, "b");
    CHECK_EQUAL(at(7).max_output, 100);
    CHECK_EQUAL(at(7).context_tokens, usual_context);
}

void a_row_says_how_much_of_a_repository_is_shown()
{
    const std::string row = R"([{"models": ["a"], "max_output": 1, "context_tokens": )";
    const auto choose = [&](const std::string &tokens) {
        return table_of(row + tokens + "}]")
            .choose(ModelRole::Builder, "x", Complexity::Medium, 0);
    };
    CHECK_EQUAL(choose("5").context_tokens, 5);
    CHECK_THROWS(choose("0"), Error, [](const Error &error) {
        CHECK(std::string(error.what())
                  .ends_with("/builder/0/context_tokens: expected a number of tokens "
                             "from 1, got 0"));
    });
}

void a_role_without_a_row_that_fits_is_an_error()
{
    const ModelTable table = table_of(rows);
    CHECK_THROWS(table.choose(ModelRole::Planner, "x", Complexity::Low, 0), Error,
                 [](const Error &error) {
                     CHECK(error.status() == ExitStatus::Config);
                     CHECK_EQUAL(std::string_view(error.what()),
                                 "t: no row of /planner fits category 'x' and "
                                 "complexity 'low'");
                 });
}

void names_what_is_wrong()
{
    const auto refuses = [](const std::string &builder, std::string_view expected) {
        CHECK_THROWS(table_of(builder), Error, [&](const Error &error) {
            CHECK(error.status() == ExitStatus::Config);
            CHECK_EQUAL(std::string_view(error.what()), expected);
        });
    };
    refuses("3", "t: /builder: expected an array, got 3");
    refuses(R"([{"models": [], "max_output": 1}])",
            "t: /builder/0/models: expected an array of models, got []");
    refuses(R"([{"models": ["m"]}])",
            "t: /builder/0/max_output: expected a number of tokens from 1, got nothing");
    refuses(R"([{"models": ["m"], "max_output": 1, "complexity": "huge"}])",
            R"(t: /builder/0/complexity: expected low, medium or high, got "huge")");
    refuses(R"([{"model": "m"}])", "t: /builder/0: unknown member 'model'");
}

void reads_the_table_that_is_shipped()
{
    const ModelTable table =
        ModelTable::load(join_path(std::getenv("AP_SOURCE"), "contrib/models.json"));
    for (const auto role : {ModelRole::Builder, ModelRole::Auditor, ModelRole::Planner}) {
        CHECK(!table.choose(role, "general", Complexity::Medium, 0).model.empty());
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(the_most_exact_row_decides_and_the_first_of_equals),
        TEST(levels_end_at_the_strongest),
        TEST(a_row_says_how_much_of_a_repository_is_shown),
        TEST(a_role_without_a_row_that_fits_is_an_error),
        TEST(names_what_is_wrong),
        TEST(reads_the_table_that_is_shipped),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
