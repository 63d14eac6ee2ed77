#include "check.hh"
#include "support.hh"

#include "domain/budget.hh"
#include "domain/integrity.hh"
#include "domain/lease.hh"
#include "domain/run.hh"
#include "sys/fd.hh"

#include <fcntl.h>
#include <unistd.h>

using namespace ap;

namespace {

// a, b (needs a) | c; a has been executed with usage, b executes, a reservation is open.
constexpr std::string_view plan_text = R"({"run_id": "r", "tiers": [
{"id": "t1", "phases": [{"id": "a", "command": "true"},
                        {"id": "b", "command": "true", "depends_on": ["a"]}]},
{"id": "t2", "phases": [{"id": "c", "command": "true"}]}]})";

class Fixture
{
public:
    Fixture()
    {
        create_run(get(), parse_plan(plan_text, "p"), plan_text, TokenCaps(), clock_);
        get().execute("INSERT INTO executors (run_id, pid, pid_started, boot_id, jobs, "
                      "started_at) VALUES ('r', 1, 1, 'b', 1, 0)");
        Transaction transaction(get());
        const auto first = lease_next_phase(get(), "r", 1, clock_);
        CHECK(first.has_value());
        record_usage(get(), {"r", "a", 1, "report", {}}, usage(), clock_);
        AttemptOutcome success;
        success.status = AttemptStatus::Succeeded;
        finish_attempt(get(), *first, success, 0, clock_);
        CHECK(lease_next_phase(get(), "r", 1, clock_).has_value());
        transaction.commit();
        ReservationRequest request;
        request.run_id = "r";
        request.phase_id = "b";
        request.tokens = 100;
        request.cost_microusd = 5;
        reserve(get(), request, clock_);
    }

    Sqlite &get() { return database_.get(); }

    /// The rules that find something, each once.
    std::string broken_rules()
    {
        std::string rules;
        for (const Finding &finding : check_integrity(get())) {
            if (!rules.ends_with(finding.rule)) {
                rules += (rules.empty() ? "" : " ") + finding.rule;
            }
        }
        return rules;
    }

    void check_breaks(const std::string &sql, const std::string &rules)
    {
        CHECK_EQUAL(broken_rules(), "");
        get().execute("PRAGMA foreign_keys = OFF; BEGIN; " + sql);
        CHECK_EQUAL(broken_rules(), rules);
        get().execute("ROLLBACK");
    }

private:
    static Usage usage()
    {
        Usage usage;
        usage.prompt_tokens = 10;
        usage.completion_tokens = 5;
        usage.cost_microusd = 7;
        return usage;
    }

    check::TemporaryDatabase database_;
    check::ManualClock clock_;
};

void finds_nothing_wrong_with_a_sound_run()
{
    Fixture run;
    CHECK_EQUAL(run.broken_rules(), "");
    CHECK_EQUAL(run.get().query_text("SELECT group_concat(phase_id || status, ' ') "
                                     "FROM phases"),
                "aCOMPLETE bEXECUTING cQUEUED");
}

void compares_budgets_with_the_usage()
{
    Fixture run;
    run.check_breaks("UPDATE budgets SET tokens_used = 14 WHERE phase_id = 'a'",
                     "budget-used");
    run.check_breaks("UPDATE budgets SET tokens_used = 14 WHERE phase_id = ''",
                     "budget-used");
    run.check_breaks("UPDATE budgets SET tokens_used = 1 WHERE phase_id = 'c'",
                     "budget-used");
    run.check_breaks("UPDATE budgets SET cost_used_microusd = 0 WHERE phase_id = 'a'",
                     "budget-used");
}

void compares_budgets_with_the_open_reservations()
{
    Fixture run;
    run.check_breaks("UPDATE budgets SET tokens_reserved = 0 WHERE phase_id = 'b'",
                     "budget-reserved");
    run.check_breaks("UPDATE budgets SET tokens_reserved = 99 WHERE phase_id = ''",
                     "budget-reserved");
    run.check_breaks("UPDATE budgets SET cost_reserved_microusd = 4 WHERE phase_id = ''",
                     "budget-reserved");
}

void counts_the_phases_of_runs_and_tiers()
{
    Fixture run;
    run.check_breaks("UPDATE runs SET open_phases = 3", "run-counters");
    run.check_breaks("UPDATE runs SET failed_phases = 1", "run-counters");
    run.check_breaks("UPDATE runs SET phases = 9", "run-counters");
    run.check_breaks("UPDATE runs SET complete_phases = 9", "run-counters");
    run.check_breaks("UPDATE tiers SET open_phases = 2 WHERE tier_id = 't1'",
                     "tier-counters");
    run.check_breaks("UPDATE tiers SET failed_phases = 1 WHERE tier_id = 't2'",
                     "tier-counters");
}

void counts_what_phases_wait_for()
{
    Fixture run;
    run.check_breaks("UPDATE phases SET blockers = 0 WHERE phase_id = 'c'", "blockers");
    run.check_breaks("INSERT INTO phase_dependencies VALUES ('r', 'b', 'c')", "blockers");
}

void wants_one_open_attempt_for_an_executing_phase()
{
    Fixture run;
    run.check_breaks("UPDATE attempts SET status = 'FAILED', ended_at = 1 "
                     "WHERE phase_id = 'b'",
                     "open-attempts");
    run.check_breaks("UPDATE attempts SET ended_at = NULL WHERE phase_id = 'a'",
                     "open-attempts attempt-status");
    run.check_breaks("UPDATE attempts SET ended_at = 1 WHERE phase_id = 'b'",
                     "open-attempts attempt-status");
}

void wants_nothing_open_in_an_ended_run()
{
    Fixture run;
    run.check_breaks("UPDATE runs SET status = 'DONE_FAILED'",
                     "ended-runs ended-attempts");
    run.check_breaks("UPDATE phases SET status = 'SKIPPED' WHERE status = 'QUEUED'; "
                     "UPDATE phases SET status = 'COMPLETE'; "
                     "UPDATE attempts SET ended_at = 1, status = 'SUCCEEDED'; "
                     "UPDATE tiers SET open_phases = 0; "
                     "UPDATE runs SET open_phases = 0, complete_phases = phases",
                     "ended-runs");
}

void compares_states_with_their_last_events()
{
    Fixture run;
    run.check_breaks("DROP TRIGGER run_changed; UPDATE runs SET status = 'EXECUTING'",
                     "run-events");
    run.check_breaks("DROP TRIGGER event_is_kept; DELETE FROM events "
                     "WHERE kind = 'run.created'",
                     "run-events");
    run.check_breaks("DROP TRIGGER phase_changed; "
                     "UPDATE phases SET status = 'CI_RUNNING' WHERE phase_id = 'b'",
                     "phase-events");
    run.check_breaks("DROP TRIGGER event_is_kept; DELETE FROM events "
                     "WHERE kind = 'phase.status' AND phase_id = 'a'",
                     "phase-events");
    run.check_breaks("INSERT INTO events (created_at, kind, detail) "
                     "VALUES (1, 'x', 'nonsense'), (1, 'y', '[]')",
                     "event-detail");
}

void does_not_take_an_earlier_run_of_that_name_for_it()
{
    Fixture run;
    const check::ManualClock clock;
    run.get().execute("DELETE FROM runs");
    create_run(run.get(), parse_plan(plan_text, "p"), plan_text, TokenCaps(), clock);
    CHECK_EQUAL(run.broken_rules(), "");
}

void compares_refusals_with_their_attempts()
{
    Fixture run;
    run.check_breaks("INSERT INTO budget_refusals SELECT attempt_id, 's', 'run', 'x', 1 "
                     "FROM attempts LIMIT 1",
                     "foreign-key refused-attempts");
}

void finds_rows_that_refer_to_missing_ones()
{
    Fixture run;
    run.check_breaks("DELETE FROM executors", "foreign-key");
}

void tells_of_a_damaged_file()
{
    check::TemporaryDatabase temporary;
    Sqlite &database = temporary.get();
    database.execute("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                     "WHERE i < 5000) INSERT INTO events (created_at, kind) "
                     "SELECT i, 'filler' FROM n");
    const std::string copy = temporary.directory().file("copy.db");
    database.copy_to(copy);
    const Fd file = open_file(copy, O_WRONLY);
    const std::string garbage(4096, '\xa5');
    const int64_t pages = database.query_integer("PRAGMA page_count");
    CHECK(pages > 40);
    CHECK(pwrite(file.get(), garbage.data(), garbage.size(), (pages - 2) * 4096) == 4096);
    Sqlite damaged(copy, OpenMode::ReadOnly);
    const std::vector<Finding> findings = check_integrity(damaged);
    CHECK(!findings.empty());
    for (const Finding &finding : findings) {
        CHECK_EQUAL(finding.rule, "integrity");
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(finds_nothing_wrong_with_a_sound_run),
        TEST(compares_budgets_with_the_usage),
        TEST(compares_budgets_with_the_open_reservations),
        TEST(counts_the_phases_of_runs_and_tiers),
        TEST(counts_what_phases_wait_for),
        TEST(wants_one_open_attempt_for_an_executing_phase),
        TEST(wants_nothing_open_in_an_ended_run),
        TEST(compares_states_with_their_last_events),
        TEST(does_not_take_an_earlier_run_of_that_name_for_it),
        TEST(compares_refusals_with_their_attempts),
        TEST(finds_rows_that_refer_to_missing_ones),
        TEST(tells_of_a_damaged_file),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
