#include "check.hh"

#include "base/error.hh"
#include "domain/budget_options.hh"

#include <map>

using namespace ap;

namespace {

OptionValue given(std::map<std::string, std::string, std::less<>> options)
{
    return [options = std::move(options)](std::string_view name) {
        const auto found = options.find(name);
        return found == options.end() ? std::nullopt : std::optional(found->second);
    };
}

template <typename Work>
std::string fault_of(const Work &work)
{
    try {
        work();
    } catch (const UsageError &error) {
        return error.what();
    }
    return "";
}

void what_was_used_is_told_by_options()
{
    CHECK(!usage_options(given({{"file", "x"}}), "file"));
    const auto usage = usage_options(given({{"prompt-tokens", "10"},
                                            {"completion-tokens", "5"},
                                            {"model", "m"},
                                            {"request-id", "q"},
                                            {"cost-usd", "0.25"}}),
                                     "file");
    CHECK_EQUAL(usage->prompt_tokens, 10);
    CHECK_EQUAL(usage->completion_tokens, 5);
    CHECK_EQUAL(usage->model, "m");
    CHECK_EQUAL(*usage->request_id, "q");
    CHECK_EQUAL(usage->cost_microusd, 250'000);
    CHECK_EQUAL(usage->provider, "");
}

void usage_that_is_not_told_in_one_way_is_refused()
{
    const auto fault = [](const OptionValue &value) {
        return fault_of([&] { usage_options(value, "file"); });
    };
    CHECK_EQUAL(fault(given({{"file", "x"}, {"model", "m"}})),
                "either --file or what was used");
    CHECK_EQUAL(fault(given({{"model", "m"}})),
                "--prompt-tokens or --completion-tokens is needed");
    CHECK_EQUAL(fault(given({{"prompt-tokens", "1e3"}})),
                "--prompt-tokens: expected a whole number from 0 to 1000000000000, got "
                "'1e3'");
    CHECK_EQUAL(fault(given({{"prompt-tokens", "1"}, {"cost-usd", "much"}})),
                "--cost-usd: expected a number of dollars up to 1000000, got 'much'");
}

void a_cap_of_the_day_can_be_none()
{
    const DayCapChange change =
        day_cap_options(given({{"tokens", "none"}, {"cost-usd", "20"}}));
    CHECK_EQUAL(*change.token_cap, -1);
    CHECK_EQUAL(*change.cost_cap_microusd, 20'000'000);
    CHECK(!day_cap_options(given({{"tokens", "7"}})).cost_cap_microusd);
    CHECK_EQUAL(fault_of([] { day_cap_options(given({})); }),
                "set-day: --tokens or --cost-usd is needed");
}

void a_day_is_one_of_the_calendar()
{
    const SystemClock clock;
    CHECK_EQUAL(day_operand("2024-02-29", clock), "2024-02-29");
    CHECK_EQUAL(day_operand("", clock), day_of(clock.now()));
    for (const char *text : {"2026-02-29", "2026-13-01", "2026-1-01", "today",
                             "2026-01-01T", "2026x01x01", "-026-01-01"}) {
        CHECK(fault_of([&] { day_operand(text, clock); }).starts_with("expected a day"));
    }
}

void rows_say_what_is_left()
{
    DayBudget day;
    day.day = "2026-11-24";
    day.tokens_used = 250;
    day.tokens_reserved = 50;
    CHECK(day_row(day) == (std::vector<std::string>{"2026-11-24", "-", "250", "50", "-",
                                                    "-", "$0.0000", "-"}));
    day.token_cap = 1000;
    day.cost_cap_microusd = 1'500'000;
    CHECK(day_row(day) == (std::vector<std::string>{"2026-11-24", "1000", "250", "50",
                                                    "700", "25%", "$0.0000", "$1.5000"}));
    CHECK_EQUAL(day_row(day).size(), day_headings().size());
    Budget budget;
    budget.token_cap = 100;
    budget.tokens_used = 12;
    CHECK(budget_row("r", budget) ==
          (std::vector<std::string>{"r", "100", "12", "0", "88", "12%", "$0.0000"}));
    CHECK_EQUAL(budget_row("r", budget).size(), budget_headings().size());
    CHECK_EQUAL(budget_line(budget), "12 of 100 tokens used, 0 reserved, $0.0000");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(what_was_used_is_told_by_options),
        TEST(usage_that_is_not_told_in_one_way_is_refused),
        TEST(a_cap_of_the_day_can_be_none),
        TEST(a_day_is_one_of_the_calendar),
        TEST(rows_say_what_is_left),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
