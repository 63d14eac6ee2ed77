#include "check.hh"
#include "support.hh"

#include "domain/integrity.hh"
#include "domain/run.hh"
#include "domain/usage_batch.hh"

#include <vector>

using namespace ap;

namespace {

constexpr std::string_view plan_text = R"({"run_id": "r", "phases": [
    {"id": "a", "command": "true"}, {"id": "b", "command": "true"}]})";
constexpr UnixMs noon = 1'796'040'000'000;

class Fixture
{
public:
    Fixture() { create_run(get(), parse_plan(plan_text, "p"), plan_text, {}, clock); }

    Sqlite &get() { return database_.get(); }

    // Every total that is kept of usage.
    std::string totals()
    {
        return get().query_text(
            "SELECT (SELECT group_concat(phase_id || ' ' || tokens_used || ' ' || "
            "cost_used_microusd, ', ') FROM (SELECT * FROM budgets ORDER BY phase_id)) "
            "|| '; ' || (SELECT group_concat(day || ' ' || tokens_used || ' ' || "
            "cost_used_microusd, ', ') FROM day_usage) "
            "|| '; ' || (SELECT group_concat(hour_at || ' ' || model || ' ' || calls || "
            "' ' || prompt_tokens || ' ' || completion_tokens || ' ' || cached_tokens "
            "|| ' ' || cost_microusd, ', ') FROM usage_hours) "
            "|| '; ' || (SELECT group_concat(phase_id || ' ' || model || ' ' || calls || "
            "' ' || prompt_tokens || ' ' || completion_tokens || ' ' || cached_tokens "
            "|| ' ' || cost_microusd, ', ') FROM usage_models)");
    }

    check::ManualClock clock;

private:
    check::TemporaryDatabase database_;
};

struct Call
{
    const char *phase;
    const char *model;
    UnixMs at;
};

// Of several phases, models, hours and days, some of them alike in all of these.
constexpr Call calls[] = {
    {"a", "x", noon},
    {"a", "x", noon + 1},
    {"a", "y", noon},
    {"b", "x", noon},
    {"", "x", noon},
    {"a", "x", noon + 3'600'000},
    {"a", "x", noon + 24 * 3'600'000},
};

UsageOrigin origin_of(const Call &call)
{
    return {"r", call.phase, 1, "gateway", std::nullopt};
}

Usage usage_of(const Call &call, int64_t number)
{
    Usage usage;
    usage.model = call.model;
    usage.prompt_tokens = 100 + number;
    usage.completion_tokens = 10;
    usage.cached_tokens = 3;
    usage.cost_microusd = 7;
    return usage;
}

void has_the_totals_that_single_records_have()
{
    Fixture batched;
    Fixture single;
    UsageBatch batch(batched.get());
    Transaction transaction(batched.get());
    int64_t number = 0;
    for (const Call &call : calls) {
        const Usage usage = usage_of(call, ++number);
        CHECK(batch.add(origin_of(call), usage, call.at));
        CHECK(insert_usage(single.get(), origin_of(call), call.phase, usage, call.at,
                           UsageTotals::ByTrigger));
    }
    batch.write_sums();
    transaction.commit();
    CHECK_EQUAL(batched.totals(), single.totals());
    CHECK_EQUAL(check_integrity(batched.get()).size(), size_t{0});
}

void counts_a_call_once_however_often_it_is_told()
{
    Fixture fixture;
    UsageBatch batch(fixture.get());
    Transaction transaction(fixture.get());
    Usage usage = usage_of(calls[0], 0);
    usage.request_id = "once";
    CHECK(batch.add(origin_of(calls[0]), usage, noon));
    CHECK(!batch.add(origin_of(calls[0]), usage, noon));
    batch.write_sums();
    batch.write_sums(); // has nothing left to write
    transaction.commit();
    CHECK_EQUAL(show_budget(fixture.get(), "r", "a").tokens_used, 110);
    CHECK_EQUAL(check_integrity(fixture.get()).size(), size_t{0});
}

void refuses_what_belongs_to_nobody_and_keeps_the_rest()
{
    Fixture fixture;
    UsageBatch batch(fixture.get());
    Transaction transaction(fixture.get());
    UsageOrigin nobody = origin_of(calls[0]);
    nobody.run_id = "gone";
    batch.add(origin_of(calls[0]), usage_of(calls[0], 0), noon);
    CHECK_THROWS(
        batch.add(nobody, usage_of(calls[0], 0), noon), Error,
        [](const Error &error) { CHECK_EQUAL(error.status(), ExitStatus::NoInput); });
    batch.write_sums();
    transaction.commit();
    CHECK_EQUAL(show_budget(fixture.get(), "r", "").tokens_used, 110);
    CHECK_EQUAL(check_integrity(fixture.get()).size(), size_t{0});
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(has_the_totals_that_single_records_have),
        TEST(counts_a_call_once_however_often_it_is_told),
        TEST(refuses_what_belongs_to_nobody_and_keeps_the_rest),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
