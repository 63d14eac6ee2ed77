#include "check.hh"
#include "support.hh"

#include "domain/budget.hh"
#include "domain/day_budget.hh"

using namespace ap;

namespace {

constexpr UnixMs midnight = 1'800'057'600'000; // 2027-01-16T00:00:00Z

class FixedClock final : public Clock
{
public:
    UnixMs at = midnight;
    UnixMs now() const override { return at; }
    std::chrono::milliseconds monotonic() const override { return {}; }
};

class Scene
{
public:
    Scene()
    {
        database().execute(
            "INSERT INTO runs (run_id, plan, created_at) VALUES ('r', '{}', 1);"
            "INSERT INTO budgets (run_id, token_cap) VALUES ('r', 1000000)");
    }

    Sqlite &database() { return database_.get(); }

    void use(int64_t tokens, int64_t microusd)
    {
        Usage usage;
        usage.prompt_tokens = tokens - tokens / 3;
        usage.completion_tokens = tokens / 3;
        usage.cost_microusd = microusd;
        record_usage(database(), {"r", "", std::nullopt, "gateway", std::nullopt}, usage,
                     clock);
    }

    DayBudget today() { return show_day_budget(database(), day_of(clock.now())); }

    int64_t reserve(int64_t tokens, int64_t microusd)
    {
        ReservationRequest request;
        request.run_id = "r";
        request.tokens = tokens;
        request.cost_microusd = microusd;
        return ap::reserve(database(), request, clock);
    }

    FixedClock clock;

private:
    check::TemporaryDatabase database_;
};

void a_day_is_one_of_utc()
{
    CHECK_EQUAL(day_of(midnight), "2027-01-16");
    CHECK_EQUAL(day_of(midnight - 1), "2027-01-15");
    CHECK_EQUAL(day_of(0), "1970-01-01");
}

void usage_counts_on_the_day_it_is_recorded()
{
    Scene scene;
    scene.use(100, 7);
    scene.use(11, 1);
    scene.clock.at = midnight - 1;
    scene.use(1000, 50);
    CHECK_EQUAL(scene.today().tokens_used, 1000);
    scene.clock.at = midnight;
    CHECK_EQUAL(scene.today().tokens_used, 111);
    CHECK_EQUAL(scene.today().cost_used_microusd, 8);
    CHECK_EQUAL(show_day_budget(scene.database(), "2030-01-01").tokens_used, 0);
}

void without_caps_everything_is_left()
{
    Scene scene;
    scene.use(100, 7);
    CHECK_EQUAL(scene.today().tokens_left(), largest_amount);
    CHECK_EQUAL(scene.today().cost_left(), largest_amount);
}

void caps_are_set_changed_and_removed_apart()
{
    Scene scene;
    set_day_caps(scene.database(), {500, std::nullopt});
    set_day_caps(scene.database(), {std::nullopt, 90});
    scene.use(100, 7);
    CHECK_EQUAL(scene.today().tokens_left(), 400);
    CHECK_EQUAL(scene.today().cost_left(), 83);
    set_day_caps(scene.database(), {-1, std::nullopt});
    CHECK_EQUAL(scene.today().tokens_left(), largest_amount);
    CHECK_EQUAL(scene.today().cost_left(), 83);
    CHECK_EQUAL(scene.database().query_integer(
                    "SELECT count(*) FROM events WHERE kind = 'budget.set'"),
                3);
}

void reservations_count_and_are_held_to_the_caps()
{
    Scene scene;
    set_day_caps(scene.database(), {1000, 100});
    scene.use(300, 10);
    const int64_t held = scene.reserve(500, 40);
    CHECK_EQUAL(scene.today().tokens_left(), 200);
    CHECK_EQUAL(scene.today().cost_left(), 50);
    CHECK_THROWS(scene.reserve(201, 0), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BudgetExhausted);
        CHECK_EQUAL(std::string(error.what()),
                    "day 2027-01-16 has 200 of 1000 tokens left, 201 asked for");
    });
    CHECK_THROWS(scene.reserve(1, 51), Error, [](const Error &error) {
        CHECK_EQUAL(std::string(error.what()),
                    "day 2027-01-16 has $0.0000 of $0.0001 left, $0.0000 asked for");
    });
    settle(scene.database(), held, {}, scene.clock);
    scene.reserve(201, 0);
}

void what_is_used_up_leaves_nothing()
{
    Scene scene;
    set_day_caps(scene.database(), {50, 5});
    scene.use(100, 7);
    CHECK_EQUAL(scene.today().tokens_left(), 0);
    CHECK_EQUAL(scene.today().cost_left(), 0);
    CHECK_EQUAL(day_budget_to_json(scene.today()).dump(),
                "{\"day\":\"2027-01-16\",\"token_cap\":50,\"tokens_used\":100,"
                "\"tokens_reserved\":0,\"tokens_left\":0,\"cost_cap_microusd\":5,"
                "\"cost_used_microusd\":7,\"cost_reserved_microusd\":0}");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_day_is_one_of_utc),
        TEST(usage_counts_on_the_day_it_is_recorded),
        TEST(without_caps_everything_is_left),
        TEST(caps_are_set_changed_and_removed_apart),
        TEST(reservations_count_and_are_held_to_the_caps),
        TEST(what_is_used_up_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
