#include "check.hh"
#include "support.hh"

#include "domain/alerts.hh"
#include "domain/budget.hh"
#include "domain/day_budget.hh"

using namespace ap;

namespace {

constexpr UnixMs noon = 1'800'100'800'000; // 2027-01-16T12:00:00Z

class FixedClock final : public Clock
{
public:
    UnixMs now() const override { return noon; }
    std::chrono::milliseconds monotonic() const override { return {}; }
};

// A run of one phase, both under way, of which tokens and money were used.
class Scene
{
public:
    Scene()
    {
        database().execute(
            "INSERT INTO runs (run_id, status, phases, plan, created_at) "
            "VALUES ('r', 'EXECUTING', 1, '{}', 1);"
            "INSERT INTO tiers (run_id, tier_id, ordinal, name) VALUES ('r', 't', 0, "
            "'t');"
            "INSERT INTO phases (run_id, phase_id, tier_id, ordinal, phase_name, type, "
            "status, spec, created_at) "
            "VALUES ('r', 'a', 't', 0, 'a', 'audit', 'EXECUTING', '{}', 1);"
            "INSERT INTO budgets (run_id, phase_id, token_cap) "
            "VALUES ('r', '', 1000000), ('r', 'a', 1000000)");
    }

    Sqlite &database() { return database_.get(); }

    void use(int64_t tokens, int64_t microusd)
    {
        Usage usage;
        usage.prompt_tokens = tokens;
        usage.cost_microusd = microusd;
        record_usage(database(), {"r", "a", std::nullopt, "gateway", std::nullopt}, usage,
                     FixedClock());
    }

    std::vector<std::string> messages()
    {
        Health health;
        health.at = noon;
        std::vector<std::string> texts;
        for (const Alert &alert : current_alerts(database(), health)) {
            if (alert.kind == "tokens") {
                texts.push_back(alert.message);
            }
        }
        return texts;
    }

private:
    check::TemporaryDatabase database_;
};

void below_four_fifths_of_a_cap_there_is_no_alert()
{
    Scene scene;
    scene.use(799'999, 0);
    CHECK_EQUAL(scene.messages().size(), 0);
}

void at_four_fifths_the_run_and_the_phase_are_named()
{
    Scene scene;
    scene.use(800'000, 0);
    const auto messages = scene.messages();
    CHECK_EQUAL(messages.size(), 2);
    CHECK_EQUAL(messages[0], "run r used 80 % of its cap (800.0k of 1.0M tokens)");
    CHECK_EQUAL(messages[1],
                "phase a of run r used 80 % of its cap (800.0k of 1.0M tokens)");
}

void a_cap_in_money_counts_as_one_in_tokens_does()
{
    Scene scene;
    scene.database().execute(
        "UPDATE budgets SET cost_cap_microusd = 2000000 WHERE phase_id = ''");
    scene.use(1, 1'800'000);
    const auto messages = scene.messages();
    CHECK_EQUAL(messages.size(), 1);
    CHECK_EQUAL(messages[0], "run r used 90 % of its cap ($1.8000 of $2.0000)");
}

void the_cap_of_the_day_counts_over_all_runs()
{
    Scene scene;
    DayCapChange change;
    change.token_cap = 100;
    set_day_caps(scene.database(), change);
    scene.use(85, 0);
    const auto messages = scene.messages();
    CHECK_EQUAL(messages.size(), 1);
    CHECK_EQUAL(messages[0],
                "the day 2027-01-16 used 85 % of its cap (85 of 100 tokens)");
}

void a_phase_that_is_done_is_not_named()
{
    Scene scene;
    scene.use(900'000, 0);
    scene.database().execute("UPDATE phases SET status = 'COMPLETE'");
    CHECK_EQUAL(scene.messages().size(), 1);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(below_four_fifths_of_a_cap_there_is_no_alert),
        TEST(at_four_fifths_the_run_and_the_phase_are_named),
        TEST(a_cap_in_money_counts_as_one_in_tokens_does),
        TEST(the_cap_of_the_day_counts_over_all_runs),
        TEST(a_phase_that_is_done_is_not_named),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
