#include "check.hh"
#include "domain/integrity.hh"
#include "domain/usage_report.hh"
#include "support.hh"

using namespace ap;

namespace {

constexpr UnixMs noon = 1'800'014'400'000; // on the hour

class Fixture
{
public:
    Fixture()
    {
        for (const char *run : {"r1", "r2"}) {
            get()
                .prepare(
                    "INSERT INTO runs (run_id, plan, created_at) VALUES (?1, '{}', 0)")
                .bind_all(run)
                .run();
        }
    }
    Sqlite &get() { return database_.get(); }

    void use(std::string_view run, std::string_view phase, std::string_view model,
             int64_t tokens, UnixMs at)
    {
        get()
            .prepare("INSERT INTO llm_usage_events (run_id, phase_id, model, "
                     "prompt_tokens, completion_tokens, source, created_at) "
                     "VALUES (?1, ?2, ?3, ?4, 1, 'report', ?5)")
            .bind_all(run, phase, model, tokens, at)
            .run();
    }

private:
    check::TemporaryDatabase database_;
};

void sums_by_the_hour_and_by_the_day()
{
    Fixture file;
    file.use("r1", "a", "big", 10, noon);
    file.use("r2", "a", "big", 20, noon + hour_ms - 1);
    file.use("r1", "a", "big", 40, noon + hour_ms);
    file.use("r1", "a", "small", 5, noon);
    const auto hours = usage_over_time(file.get(), noon, noon + 2 * hour_ms, hour_ms);
    CHECK_EQUAL(hours.size(), 3u);
    CHECK_EQUAL(hours[0].model, "big");
    CHECK_EQUAL(hours[0].sums.tokens(), 32);
    CHECK_EQUAL(hours[0].sums.calls, 2);
    CHECK_EQUAL(hours[2].at, noon + hour_ms);
    CHECK_EQUAL(usage_over_time(file.get(), noon, noon + hour_ms, hour_ms).size(), 2u);
    const UnixMs day = noon - noon % day_ms;
    const auto days = usage_over_time(file.get(), day, day + day_ms, day_ms);
    CHECK_EQUAL(days.size(), 2u);
    CHECK_EQUAL(days[0].sums.tokens(), 73);
}

void sums_a_run_by_phase_and_model()
{
    Fixture file;
    file.use("r1", "a", "big", 10, noon);
    file.use("r1", "b", "big", 20, noon);
    file.use("r1", "b", "small", 99, noon);
    file.use("r2", "a", "big", 500, noon);
    const auto list = usage_of_run(file.get(), "r1");
    CHECK_EQUAL(list.size(), 3u);
    const auto models = sum_by_model(list);
    CHECK_EQUAL(models[0].model, "small");
    CHECK_EQUAL(models[1].sums.tokens(), 32);
}

void hours_stay_when_a_run_is_deleted()
{
    Fixture file;
    file.use("r1", "a", "big", 10, noon);
    file.get().execute("DELETE FROM runs WHERE run_id = 'r1'");
    CHECK(usage_of_run(file.get(), "r1").empty());
    CHECK_EQUAL(usage_over_time(file.get(), 0, INT64_MAX, hour_ms).size(), 1u);
    for (const Finding &finding : check_integrity(file.get())) {
        CHECK(finding.rule != "usage-hours" && finding.rule != "usage-models");
    }
}

void sums_that_are_wrong_are_found()
{
    Fixture file;
    file.use("r1", "a", "big", 10, noon);
    file.get().execute("UPDATE usage_models SET calls = 2;"
                       "UPDATE usage_hours SET prompt_tokens = 0");
    int found = 0;
    for (const Finding &finding : check_integrity(file.get())) {
        found += finding.rule == "usage-hours" || finding.rule == "usage-models" ? 1 : 0;
    }
    CHECK_EQUAL(found, 2);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(sums_by_the_hour_and_by_the_day),
        TEST(sums_a_run_by_phase_and_model),
        TEST(hours_stay_when_a_run_is_deleted),
        TEST(sums_that_are_wrong_are_found),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
