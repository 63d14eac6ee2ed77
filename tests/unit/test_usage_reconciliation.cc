#include "ledger_support.hh"
#include "thread_time.hh"

#include "domain/integrity.hh"
#include "domain/usage_reconciliation.hh"

using namespace ap;
using check::Installation;

namespace {

const SystemClock clock_of_test;

Usage estimate(std::string_view request_id, int64_t input, int64_t output)
{
    Usage usage;
    usage.provider = "mock";
    usage.model = "claude-sonnet-4";
    usage.prompt_tokens = input;
    usage.completion_tokens = output;
    usage.estimated = true;
    usage.request_id = request_id;
    usage.provider_request_id = "req_" + std::string(request_id);
    return usage;
}

struct Books
{
    Installation installation;
    Sqlite database = installation.open();

    Books()
    {
        installation.budget("r", "", 10'000);
        installation.budget("r", "p", 5'000);
    }

    void record(const Usage &usage)
    {
        record_usage(database, {"r", "p", 1, "gateway", std::nullopt}, usage,
                     clock_of_test);
    }

    int64_t reconcile(const std::vector<ToldUsage> &told, const PriceList &prices = {})
    {
        return reconcile_usage(database, "r", told, prices, clock_of_test);
    }

    // Tokens of run, phase, day, hour and model, which all hold the one call's.
    std::string totals()
    {
        return database.query_text(
            "SELECT (SELECT group_concat(tokens_used || '/' || cost_used_microusd, ' ') "
            "FROM budgets) || ' ' || (SELECT tokens_used || '/' || cost_used_microusd "
            "FROM day_usage) || ' ' || (SELECT (prompt_tokens + completion_tokens) || "
            "'/' || cost_microusd FROM usage_hours) || ' ' || (SELECT (prompt_tokens + "
            "completion_tokens) || '/' || cost_microusd FROM usage_models)");
    }

    void check_sound()
    {
        for (const Finding &finding : check_integrity(database)) {
            CHECK(!finding.rule.starts_with("budget") &&
                  !finding.rule.starts_with("usage") && !finding.rule.starts_with("day"));
        }
    }
};

ToldUsage told(const std::string &call, int64_t input, int64_t output)
{
    ToldUsage told;
    told.call = call;
    told.usage.prompt_tokens = input;
    told.usage.completion_tokens = output;
    return told;
}

void refused(Books &books, const ToldUsage &what, ExitStatus status,
             const std::string &message, const PriceList &prices = {})
{
    CHECK_THROWS(books.reconcile({what}, prices), Error, [&](const Error &error) {
        CHECK(error.status() == status);
        CHECK(std::string(error.what()).find(message) != std::string::npos);
    });
}

void corrects_every_sum_and_keeps_the_estimate()
{
    Books books;
    books.record(estimate("a", 2'000, 500));
    CHECK_EQUAL(books.reconcile({told("1", 600, 50)}), 1);
    CHECK_EQUAL(books.totals(), "650/0 650/0 650/0 650/0 650/0");
    CHECK_EQUAL(books.database.query_text(
                    "SELECT estimated_prompt_tokens || ' ' || "
                    "estimated_completion_tokens FROM usage_reconciliations"),
                "2000 500");
    CHECK_EQUAL(books.database.query_text("SELECT detail FROM events WHERE kind = "
                                          "'usage.reconciled'"),
                R"({"usage_id":1,"estimated":2500,"tokens":650})");
    books.check_sound();
}

void takes_a_call_by_any_of_its_names()
{
    Books books;
    for (const char *name : {"a", "b", "c"}) {
        books.record(estimate(name, 2'000, 500));
    }
    CHECK_EQUAL(books.reconcile({told("1", 1, 1), told("b", 2, 2), told("req_c", 3, 3)}),
                3);
    CHECK_EQUAL(books.database.query_text("SELECT group_concat(prompt_tokens) FROM "
                                          "llm_usage_events"),
                "1,2,3");
    CHECK_EQUAL(books.reconcile({told("req_c", 3, 3)}), 0);
}

void the_same_figures_again_change_nothing_and_others_are_refused()
{
    Books books;
    books.record(estimate("a", 2'000, 500));
    books.reconcile({told("1", 600, 50)});
    CHECK_EQUAL(books.reconcile({told("1", 600, 50)}), 0);
    refused(books, told("1", 601, 50), ExitStatus::BadData, "other figures");
    CHECK_EQUAL(books.totals(), "650/0 650/0 650/0 650/0 650/0");
}

void refuses_what_is_no_estimate_and_what_is_not_there()
{
    Books books;
    Usage exact = estimate("a", 2'000, 500);
    exact.estimated = false;
    books.record(exact);
    refused(books, told("a", 1, 1), ExitStatus::BadData, "expected an estimate");
    refused(books, told("7", 1, 1), ExitStatus::NoInput, "no call 7");
    books.installation.budget("other", "", 10);
    CHECK_THROWS(reconcile_usage(books.database, "other", std::vector{told("1", 1, 1)},
                                 {}, clock_of_test),
                 Error, [](const Error &) {});
}

void takes_all_or_none()
{
    Books books;
    books.record(estimate("a", 2'000, 500));
    CHECK_THROWS(books.reconcile({told("1", 1, 1), told("2", 1, 1)}), Error,
                 [](const Error &) {});
    CHECK_EQUAL(books.totals(), "2500/0 2500/0 2500/0 2500/0 2500/0");
}

PriceList prices()
{
    return PriceList::from_json(
        *Json::try_parse(
            R"({"models": {"claude-sonnet-4": {"input": 3, "output": 15}}})"),
        "test");
}

void the_cost_follows_from_the_prices_of_the_estimate()
{
    Books books;
    Usage usage = estimate("a", 2'000, 500);
    usage.cost_microusd = 2'000 * 3 + 500 * 15;
    books.record(usage);
    books.reconcile({told("1", 1'000, 100)}, prices());
    CHECK_EQUAL(books.totals(), "1100/4500 1100/4500 1100/4500 1100/4500 1100/4500");
    books.check_sound();
}

void cached_input_costs_what_it_did_in_the_estimate()
{
    Books books;
    const PriceList list =
        PriceList::from_json(*Json::try_parse(R"({"models": {"claude-sonnet-4":
            {"input": 3, "cached": 0.3, "cache_write": 4, "output": 15}}})"),
                             "test");
    Usage usage = estimate("a", 2'000, 500);
    usage.cached_tokens = 1'000;
    usage.cache_write_tokens = 500;
    usage.cost_microusd = 1'000 * 3 / 10 + 500 * 4 + 500 * 3 + 500 * 15;
    books.record(usage);
    CHECK_EQUAL(books.reconcile({told("1", 2'000, 100)}, list), 1);
    CHECK_EQUAL(books.database.query_text(
                    "SELECT cost_microusd || ' ' || cached_tokens || ' ' || "
                    "cache_write_tokens FROM llm_usage_events"),
                "5300 1000 500");
    books.check_sound();
}

void a_line_without_a_cost_or_a_count_is_not_taken_for_one_of_nothing()
{
    const check::TemporaryDirectory directory;
    const std::string path = directory.file("told");
    write_file_atomically(
        path,
        R"({"call": 1, "input_tokens": 7, "output_tokens": 0, "cost_usd": null})"
        "\n",
        0600);
    CHECK(!told_usage_from_file(path).at(0).tells_cost);
    write_file_atomically(path, "{\"call\": 1, \"output_tokens\": 7}\n", 0600);
    CHECK_THROWS(told_usage_from_file(path), Error, [](const Error &error) {
        CHECK(error.status() == ExitStatus::BadData);
    });
}

void finding_a_call_costs_the_same_whatever_else_the_run_did()
{
    Books books;
    books.record(estimate("a", 2'000, 500));
    books.reconcile({told("req_a", 1, 1)});
    const auto cost = [&] {
        auto least = std::chrono::nanoseconds::max();
        for (int i = 0; i < 5; i++) {
            const auto before = check::time_of_this_thread();
            CHECK_EQUAL(books.reconcile({told("req_a", 1, 1)}), 0);
            least = std::min(least, check::time_of_this_thread() - before);
        }
        return least;
    };
    const auto alone = cost();
    books.database.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) "
        "INSERT INTO llm_usage_events (run_id, phase_id, provider, model, "
        "prompt_tokens, completion_tokens, source, created_at) "
        "SELECT 'r', 'p', 'mock', 'm', 1, 1, 'gateway', 1 FROM n");
    CHECK(cost() < 10 * alone);
}

void asks_for_the_cost_where_the_prices_are_others()
{
    Books books;
    Usage usage = estimate("a", 2'000, 500);
    usage.cost_microusd = 777;
    books.record(usage);
    refused(books, told("1", 1'000, 100), ExitStatus::BadData, "cost is needed",
            prices());
    ToldUsage with_cost = told("1", 1'000, 100);
    with_cost.tells_cost = true;
    with_cost.usage.cost_microusd = 300;
    CHECK_EQUAL(books.reconcile({with_cost}, prices()), 1);
    CHECK_EQUAL(books.totals(), "1100/300 1100/300 1100/300 1100/300 1100/300");
}

void lists_what_is_not_reconciled()
{
    Books books;
    books.record(estimate("a", 2'000, 500));
    books.record(estimate("b", 1, 1));
    books.reconcile({told("a", 600, 50)});
    std::vector<std::string> lines;
    for_each_estimate(books.database, "r", [&](const EstimatedCall &call) {
        lines.push_back(std::to_string(call.usage_id) + ' ' +
                        call.usage.provider_request_id);
    });
    CHECK_EQUAL(lines.size(), size_t{1});
    CHECK_EQUAL(lines.at(0), "2 req_b");
}

void nothing_else_changes_usage()
{
    Books books;
    books.record(estimate("a", 2'000, 500));
    for (const char *sql :
         {"UPDATE llm_usage_events SET prompt_tokens = 1, estimated = 0",
          "INSERT INTO usage_reconciliations VALUES (1, 2000, 500, 0, 1, 1, 0, 1);"
          "UPDATE llm_usage_events SET prompt_tokens = 2, completion_tokens = 1, "
          "estimated = 0",
          "UPDATE llm_usage_events SET prompt_tokens = 1, completion_tokens = 1, "
          "estimated = 0, model = 'x'",
          "UPDATE usage_reconciliations SET prompt_tokens = 5",
          "DELETE FROM usage_reconciliations"}) {
        CHECK_THROWS(books.database.execute(sql), SqliteError,
                     [](const SqliteError &error) { CHECK(error.is_constraint()); });
    }
}

void a_waiting_gateway_gets_what_became_free()
{
    Books books;
    books.record(estimate("a", 4'800, 0));
    LedgerOptions options;
    options.wait_limit = std::chrono::seconds(60);
    GatewayLedger ledger(books.installation.paths(), options);
    const Admission held = check::admitted(ledger, check::call_of("held", 150, 30));
    CHECK(held.state == Admission::State::Admitted);
    const Admission waiting = ledger.admit(check::call_of("waits", 150, 30));
    CHECK(waiting.state == Admission::State::Waiting);
    books.reconcile({told("a", 100, 0)});
    const auto answers = check::next_answers(ledger, 20'000);
    CHECK_EQUAL(answers.size(), size_t{1});
    CHECK(answers.at(0).state == Admission::State::Admitted);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(corrects_every_sum_and_keeps_the_estimate),
        TEST(takes_a_call_by_any_of_its_names),
        TEST(the_same_figures_again_change_nothing_and_others_are_refused),
        TEST(refuses_what_is_no_estimate_and_what_is_not_there),
        TEST(takes_all_or_none),
        TEST(the_cost_follows_from_the_prices_of_the_estimate),
        TEST(cached_input_costs_what_it_did_in_the_estimate),
        TEST(a_line_without_a_cost_or_a_count_is_not_taken_for_one_of_nothing),
        TEST(finding_a_call_costs_the_same_whatever_else_the_run_did),
        TEST(asks_for_the_cost_where_the_prices_are_others),
        TEST(lists_what_is_not_reconciled),
        TEST(nothing_else_changes_usage),
        TEST(a_waiting_gateway_gets_what_became_free),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
