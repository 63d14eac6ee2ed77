#include "check.hh"
#include "support.hh"

#include "domain/budget.hh"
#include "domain/integrity.hh"
#include "domain/run.hh"

#include <functional>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace ap;

namespace {

constexpr std::string_view plan_text = R"({"run_id": "r", "token_cap": 1000,
"cost_cap_usd": 2, "phases": [{"id": "a", "command": "true", "token_cap": 500},
                              {"id": "b", "command": "true", "token_cap": 5000}]})";

class Fixture
{
public:
    Fixture() { create_run(get(), parse_plan(plan_text, "p"), plan_text, {}, clock); }
    ~Fixture() = default;
    Fixture(const Fixture &) = delete;
    Fixture &operator=(const Fixture &) = delete;

    Sqlite &get() { return database_.get(); }
    std::string path() const { return database_.directory().file("autopack.db"); }

    Budget budget(std::string_view phase = "") { return show_budget(get(), "r", phase); }

    bool use(std::string_view phase, int64_t prompt, int64_t completion = 0,
             int64_t cost = 0)
    {
        Usage usage;
        usage.prompt_tokens = prompt;
        usage.completion_tokens = completion;
        usage.cost_microusd = cost;
        return record_usage(get(), {"r", std::string(phase), 1, "report", {}}, usage,
                            clock);
    }

    int64_t reserve_tokens(std::string_view phase, int64_t tokens, int64_t cost = 0)
    {
        ReservationRequest request;
        request.run_id = "r";
        request.phase_id = phase;
        request.tokens = tokens;
        request.cost_microusd = cost;
        return reserve(get(), request, clock);
    }

    check::ManualClock clock;

private:
    check::TemporaryDatabase database_;
};

Usage usage_of(std::string_view json)
{
    return usage_from_json(Json::parse(json, "usage"));
}

// What is thrown must be of this status and hold this text.
void check_refused(const std::function<void()> &work, ExitStatus status,
                   std::string_view text)
{
    CHECK_THROWS(work(), Error, [&](const Error &error) {
        CHECK_EQUAL(error.status(), status);
        if (std::string_view(error.what()).find(text) == std::string_view::npos) {
            check::fail_at(__FILE__, __LINE__, error.what());
        }
    });
}

void usage_counts_for_its_phase_and_the_run()
{
    Fixture run;
    CHECK(run.use("a", 10, 5, 700));
    CHECK(run.use("", 1));
    CHECK_EQUAL(run.budget().tokens_used, 16);
    CHECK_EQUAL(run.budget("a").tokens_used, 15);
    CHECK_EQUAL(run.budget("a").cost_used_microusd, 700);
    CHECK_EQUAL(run.budget("b").tokens_used, 0);
    CHECK_EQUAL(run.get().query_text("SELECT phase_name FROM llm_usage_events "
                                     "WHERE phase_id = 'a'"),
                "a");
}

void a_request_id_counts_once()
{
    Fixture run;
    Usage usage;
    usage.prompt_tokens = 10;
    usage.request_id = "x";
    const UsageOrigin origin = {"r", "a", 1, "fifo", {}};
    CHECK(record_usage(run.get(), origin, usage, run.clock));
    CHECK(!record_usage(run.get(), origin, usage, run.clock));
    CHECK_EQUAL(run.budget().tokens_used, 10);
}

void usage_of_what_does_not_exist_is_refused()
{
    Fixture run;
    check_refused([&] { run.use("nope", 1); }, ExitStatus::NoInput,
                  "no phase 'nope' of run 'r'");
    check_refused([&] { show_budget(run.get(), "s", ""); }, ExitStatus::NoInput,
                  "no run 's'");
}

void a_budget_is_exceeded_beyond_its_cap_not_at_it()
{
    Fixture run;
    run.use("a", 500);
    CHECK(!run.budget("a").exceeded());
    CHECK_EQUAL(run.budget("a").tokens_left(), 0);
    run.use("a", 1);
    CHECK(run.budget("a").exceeded());
    CHECK_EQUAL(run.budget("a").tokens_left(), 0);
    CHECK(!run.budget().exceeded());
}

void what_is_reserved_exceeds_nothing()
{
    Fixture run;
    run.reserve_tokens("a", 500);
    CHECK(!run.budget("a").exceeded());
    CHECK(!run.budget("a").near_cap());
}

void a_budget_of_money_is_exceeded_too()
{
    Fixture run;
    run.use("a", 1, 0, 2'000'000);
    CHECK(!run.budget().exceeded());
    run.use("a", 1, 0, 1);
    CHECK(run.budget().exceeded());
}

void near_the_cap_is_at_eighty_percent()
{
    Budget budget;
    const auto near = [&](int64_t cap, int64_t used) {
        budget.token_cap = cap;
        budget.tokens_used = used;
        return budget.near_cap();
    };
    CHECK(!near(1000, 799));
    CHECK(near(1000, 800));
    CHECK(!near(0, 0));
    CHECK(near(0, 1));
    CHECK(!near(1, 0));
    CHECK(near(largest_amount, largest_amount / 5 * 4));
    CHECK(!near(largest_amount, largest_amount / 5 * 4 - 1));
}

void a_reservation_takes_from_phase_and_run_until_it_is_settled()
{
    Fixture run;
    const int64_t id = run.reserve_tokens("a", 300, 1000);
    CHECK_EQUAL(run.budget().tokens_reserved, 300);
    CHECK_EQUAL(run.budget("a").tokens_left(), 200);
    CHECK_EQUAL(run.budget().cost_reserved_microusd, 1000);
    Usage usage;
    usage.prompt_tokens = 20;
    usage.cost_microusd = 5;
    settle(run.get(), id, usage, run.clock);
    CHECK_EQUAL(run.budget().tokens_reserved, 0);
    CHECK_EQUAL(run.budget("a").tokens_used, 20);
    CHECK_EQUAL(run.budget().cost_used_microusd, 5);
    CHECK_EQUAL(run.get().query_integer("SELECT reservation_id FROM llm_usage_events"),
                id);
    CHECK_EQUAL(run.get().query_text("SELECT source FROM llm_usage_events"), "settle");
}

void the_last_token_can_be_reserved_and_no_more()
{
    Fixture run;
    run.use("a", 100);
    run.reserve_tokens("a", 400);
    check_refused([&] { run.reserve_tokens("a", 1); }, ExitStatus::BudgetExhausted,
                  "phase 'a' of run 'r' has 0 of 500 tokens left, 1 asked for");
    run.reserve_tokens("b", 500);
    check_refused([&] { run.reserve_tokens("b", 1); }, ExitStatus::BudgetExhausted,
                  "run 'r' has 0 of 1000 tokens left, 1 asked for");
    check_refused([&] { run.reserve_tokens("", 1); }, ExitStatus::BudgetExhausted,
                  "run 'r' has 0 of 1000");
}

void money_can_be_reserved_up_to_its_cap()
{
    Fixture run;
    run.reserve_tokens("a", 0, 1'500'000);
    check_refused([&] { run.reserve_tokens("a", 0, 500'001); },
                  ExitStatus::BudgetExhausted, "$0.5000 of $2.0000 left");
    run.reserve_tokens("a", 0, 500'000);
}

void a_refused_reservation_leaves_nothing_behind()
{
    Fixture run;
    check_refused([&] { run.reserve_tokens("a", 501); }, ExitStatus::BudgetExhausted,
                  "500 of 500");
    CHECK(!run.get().in_transaction());
    CHECK_EQUAL(run.budget().tokens_reserved, 0);
    CHECK_EQUAL(run.get().query_integer("SELECT count(*) FROM budget_reservations"), 0);
}

void amounts_out_of_range_are_refused()
{
    Fixture run;
    for (const int64_t tokens : {int64_t{-1}, largest_amount + 1, INT64_MIN, INT64_MAX}) {
        check_refused([&] { run.reserve_tokens("a", tokens); }, ExitStatus::BadData,
                      "tokens: expected a whole number from 0 to 1000000000000");
        check_refused([&] { run.reserve_tokens("a", 1, tokens); }, ExitStatus::BadData,
                      "cost_microusd");
    }
}

void totals_near_the_largest_number_do_not_overflow()
{
    Budget budget;
    budget.token_cap = INT64_MAX;
    budget.tokens_used = INT64_MAX - 1;
    budget.tokens_reserved = INT64_MAX;
    CHECK_EQUAL(budget.tokens_left(), 0);
    budget.tokens_reserved = 0;
    CHECK_EQUAL(budget.tokens_left(), 1);
}

void a_reservation_can_be_released()
{
    Fixture run;
    const int64_t id = run.reserve_tokens("a", 300);
    settle(run.get(), id, {}, run.clock);
    CHECK_EQUAL(run.budget("a").tokens_left(), 500);
    CHECK_EQUAL(run.get().query_integer("SELECT count(*) FROM llm_usage_events"), 0);
}

void more_than_was_reserved_can_be_used()
{
    Fixture run;
    const int64_t id = run.reserve_tokens("a", 300);
    Usage usage;
    usage.prompt_tokens = 700;
    settle(run.get(), id, usage, run.clock);
    CHECK(run.budget("a").exceeded());
}

void a_reservation_is_settled_once()
{
    Fixture run;
    const int64_t id = run.reserve_tokens("a", 300);
    settle(run.get(), id, {}, run.clock);
    check_refused([&] { settle(run.get(), id, {}, run.clock); }, ExitStatus::BadData,
                  "reservation " + std::to_string(id));
    check_refused([&] { settle(run.get(), id + 1, {}, run.clock); }, ExitStatus::NoInput,
                  "reservation " + std::to_string(id + 1));
}

void a_cap_is_changed_and_the_change_logged()
{
    Fixture run;
    BudgetChange change;
    change.token_cap = 7;
    set_budget(run.get(), "r", "a", change);
    CHECK_EQUAL(run.budget("a").token_cap, 7);
    change = {};
    change.cost_cap_microusd = -1;
    set_budget(run.get(), "r", "", change);
    CHECK(!run.budget().cost_cap_microusd);
    CHECK_EQUAL(run.budget().token_cap, 1000);
    CHECK_EQUAL(run.get().query_text("SELECT group_concat(coalesce(phase_id, '-') || "
                                     "(detail ->> 'token_cap'), ' ') FROM events "
                                     "WHERE kind = 'budget.set'"),
                "a7 -1000");
}

void a_budget_warns_once_until_its_cap_is_raised()
{
    Fixture run;
    run.use("a", 399);
    CHECK(take_warnings(run.get(), "r", "a", run.clock).empty());
    run.use("a", 1);
    const std::vector<Budget> warned = take_warnings(run.get(), "r", "a", run.clock);
    CHECK_EQUAL(warned.size(), 1u);
    CHECK_EQUAL(warned[0].phase_id, "a");
    CHECK(take_warnings(run.get(), "r", "a", run.clock).empty());
    BudgetChange change;
    change.token_cap = 600;
    set_budget(run.get(), "r", "a", change);
    CHECK(take_warnings(run.get(), "r", "a", run.clock).empty());
    run.use("a", 80);
    CHECK_EQUAL(take_warnings(run.get(), "r", "a", run.clock).size(), 1u);
    CHECK_EQUAL(run.get().query_integer(
                    "SELECT count(*) FROM events WHERE kind = 'budget.warning'"),
                2);
}

void both_budgets_may_warn_at_once()
{
    Fixture run;
    run.use("a", 450);
    run.use("b", 450);
    CHECK_EQUAL(take_warnings(run.get(), "r", "a", run.clock).size(), 2u);
    CHECK_EQUAL(take_warnings(run.get(), "r", "", run.clock).size(), 0u);
}

void the_budgets_of_a_run_come_in_the_plans_order()
{
    Fixture run;
    const std::vector<Budget> budgets = list_budgets(run.get(), "r");
    CHECK_EQUAL(budgets.size(), 3u);
    CHECK_EQUAL(budgets[0].phase_id, "");
    CHECK_EQUAL(budgets[1].phase_id, "a");
    CHECK_EQUAL(budgets[2].phase_id, "b");
}

void a_record_is_read_with_all_its_members()
{
    const Usage usage = usage_of(
        R"({"provider": "p", "model": "m", "prompt_tokens": 10, "completion_tokens": 5,
            "cached_tokens": 4, "cache_write_tokens": 3, "reasoning_tokens": 2,
            "cost_usd": 0.25, "duration_ms": 7, "estimated": true, "request_id": "q",
            "something": "else"})");
    CHECK_EQUAL(usage.provider, "p");
    CHECK_EQUAL(usage.prompt_tokens, 10);
    CHECK_EQUAL(usage.cache_write_tokens, 3);
    CHECK_EQUAL(usage.reasoning_tokens, 2);
    CHECK_EQUAL(usage.cost_microusd, 250000);
    CHECK_EQUAL(usage.duration_ms, 7);
    CHECK(usage.estimated);
    CHECK_EQUAL(usage.request_id.value_or(""), "q");
}

void the_other_names_and_null_are_understood()
{
    const Usage usage = usage_of(
        R"({"input_tokens": 3, "output_tokens": 4, "model": null, "cost_usd": null})");
    CHECK_EQUAL(usage.prompt_tokens, 3);
    CHECK_EQUAL(usage.completion_tokens, 4);
    CHECK_EQUAL(usage.cost_microusd, 0);
    CHECK(!usage.request_id);
}

void a_record_that_is_none_names_the_member()
{
    const auto refuses = [](std::string_view json, std::string_view text) {
        check_refused([&] { usage_of(json); }, ExitStatus::BadData, text);
    };
    refuses("[]", "expected an object of usage, got");
    refuses("{}", "expected prompt_tokens or completion_tokens, got neither");
    refuses(R"({"prompt_tokens": -1})", "prompt_tokens: expected a whole number");
    refuses(R"({"prompt_tokens": 1.0})", "prompt_tokens: expected a whole number");
    refuses(R"({"output_tokens": 1000000000001})", "output_tokens: expected");
    refuses(R"({"prompt_tokens": 1, "cost_usd": "1"})", "cost_usd: expected a number");
    refuses(R"({"prompt_tokens": 1, "cost_usd": 1000001})", "cost_usd: expected");
    refuses(R"({"prompt_tokens": 1, "model": 1})", "model: expected a string");
    refuses(R"({"prompt_tokens": 1, "estimated": 1})", "estimated: expected true");
    refuses(R"({"prompt_tokens": 1, "request_id": ")" + std::string(257, 'x') + "\"}",
            "request_id: expected a string of at most 256 bytes");
}

void lines_are_read_and_the_bad_one_named()
{
    CHECK_EQUAL(
        usage_from_lines("{\"prompt_tokens\": 1}\n\n{\"prompt_tokens\": 2}", "f").size(),
        2u);
    check_refused([] { usage_from_lines("{\"prompt_tokens\": 1}\n\nx\n", "f"); },
                  ExitStatus::BadData, "f:3: expected a JSON object, got 'x'");
    check_refused([] { usage_from_lines("{\"model\": 1}", "f"); }, ExitStatus::BadData,
                  "f:1: expected prompt_tokens");
}

void dollars_are_read_and_shown()
{
    CHECK_EQUAL(parse_usd("0.25").value_or(-1), 250000);
    CHECK_EQUAL(parse_usd("1000000").value_or(-1), largest_amount);
    CHECK(!parse_usd("1000000.1"));
    CHECK(!parse_usd("-1"));
    CHECK(!parse_usd("much"));
    CHECK_EQUAL(format_usd(0), "$0.0000");
    CHECK_EQUAL(format_usd(1'234'567), "$1.2345");
    CHECK_EQUAL(format_usd(99), "$0.0000");
}

// Runs `work` in `count` processes at once; how many ended with success.
int race(int count, const std::function<void()> &work)
{
    std::vector<pid_t> children;
    for (int i = 0; i < count; i++) {
        children.push_back(fork());
        if (children.back() == 0) {
            try {
                work();
                _exit(0);
            } catch (const std::exception &) {
                _exit(1);
            }
        }
    }
    int succeeded = 0;
    for (const pid_t child : children) {
        int status = -1;
        waitpid(child, &status, 0);
        succeeded += status == 0 ? 1 : 0;
    }
    return succeeded;
}

void racing_processes_never_reserve_one_token_too_many()
{
    Fixture run;
    run.use("b", 900); // 100 left in the run, far more in the phase
    const std::string path = run.path();
    const auto take_all = [&] {
        Sqlite own(path, OpenMode::ReadWrite);
        ReservationRequest request;
        request.run_id = "r";
        request.phase_id = "b";
        request.tokens = 7;
        while (true) {
            try {
                reserve(own, request, SystemClock());
            } catch (const Error &error) {
                if (error.status() == ExitStatus::BudgetExhausted) {
                    return;
                }
                throw;
            }
        }
    };
    CHECK_EQUAL(race(16, take_all), 16);
    CHECK_EQUAL(run.budget().tokens_reserved, 98);
    CHECK_EQUAL(run.budget("b").tokens_reserved, 98);
    CHECK_EQUAL(run.budget().tokens_left(), 2);
    CHECK_EQUAL(check_integrity(run.get()).size(), 0u);
}

void one_of_racing_processes_settles_a_reservation()
{
    Fixture run;
    const int64_t id = run.reserve_tokens("a", 300);
    const std::string path = run.path();
    const auto settle_it = [&] {
        Sqlite own(path, OpenMode::ReadWrite);
        Usage usage;
        usage.prompt_tokens = 5;
        settle(own, id, usage, SystemClock());
    };
    CHECK_EQUAL(race(8, settle_it), 1);
    CHECK_EQUAL(run.budget().tokens_used, 5);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(usage_counts_for_its_phase_and_the_run),
        TEST(a_request_id_counts_once),
        TEST(usage_of_what_does_not_exist_is_refused),
        TEST(a_budget_is_exceeded_beyond_its_cap_not_at_it),
        TEST(what_is_reserved_exceeds_nothing),
        TEST(a_budget_of_money_is_exceeded_too),
        TEST(near_the_cap_is_at_eighty_percent),
        TEST(a_reservation_takes_from_phase_and_run_until_it_is_settled),
        TEST(the_last_token_can_be_reserved_and_no_more),
        TEST(money_can_be_reserved_up_to_its_cap),
        TEST(a_refused_reservation_leaves_nothing_behind),
        TEST(amounts_out_of_range_are_refused),
        TEST(totals_near_the_largest_number_do_not_overflow),
        TEST(a_reservation_can_be_released),
        TEST(more_than_was_reserved_can_be_used),
        TEST(a_reservation_is_settled_once),
        TEST(a_cap_is_changed_and_the_change_logged),
        TEST(a_budget_warns_once_until_its_cap_is_raised),
        TEST(both_budgets_may_warn_at_once),
        TEST(the_budgets_of_a_run_come_in_the_plans_order),
        TEST(a_record_is_read_with_all_its_members),
        TEST(the_other_names_and_null_are_understood),
        TEST(a_record_that_is_none_names_the_member),
        TEST(lines_are_read_and_the_bad_one_named),
        TEST(dollars_are_read_and_shown),
        TEST(racing_processes_never_reserve_one_token_too_many),
        TEST(one_of_racing_processes_settles_a_reservation),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
