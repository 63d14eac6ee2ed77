#include "check.hh"
#include "support.hh"

#include "domain/control.hh"
#include "domain/lease.hh"
#include "domain/run.hh"
#include "domain/state.hh"
#include "sys/process.hh"

#include <chrono>
#include <ctime>

using namespace ap;

namespace {

// Two tiers: a, b (needs a), c | d (needs a).
constexpr std::string_view two_tiers = R"({"run_id": "r", "goal": "g", "tiers": [
{"id": "t1", "name": "First", "phases": [
  {"id": "a", "command": "true", "type": "research"},
  {"id": "b", "command": "true", "depends_on": ["a", "a"], "token_cap": 7},
  {"id": "c", "command": "true", "cost_cap_usd": 1.5}]},
{"id": "t2", "phases": [
  {"id": "d", "command": "true", "depends_on": ["a"], "max_attempts": 3}]}]})";

class Fixture
{
public:
    explicit Fixture(std::string_view text = two_tiers)
    {
        create_run(get(), parse_plan(text, "p"), text, TokenCaps(), clock_);
    }

    Sqlite &get() { return database_.get(); }
    const Clock &clock() const { return clock_; }

    /// "a:STATUS/blockers b:..." in the plan's order.
    std::string phases()
    {
        return get().query_text("SELECT group_concat(phase_id || ':' || status || '/' || "
                                "blockers, ' ') FROM (SELECT * FROM phases ORDER BY "
                                "ordinal)");
    }

    /// "run open/failed tier open/failed ..." in the plan's order.
    std::string counters()
    {
        return get().query_text("SELECT status || ' ' || open_phases || '/' || "
                                "failed_phases FROM runs") +
               get().query_text("SELECT group_concat(' ' || tier_id || ' ' || "
                                "open_phases || '/' || failed_phases, '') FROM (SELECT "
                                "* FROM tiers ORDER BY ordinal)");
    }

    void end(std::string_view phase_id, std::string_view status)
    {
        const bool failed = status == "FAILED";
        end_phase(get(), "r", phase_id, status, failed ? "because" : "", clock_);
    }

    void add_executor(const ProcessIdentity &process)
    {
        get()
            .prepare("INSERT INTO executors (run_id, pid, pid_started, boot_id, jobs, "
                     "started_at) VALUES ('r', ?, ?, ?, 1, 0)")
            .bind_all(int64_t{process.pid}, process.started, process.boot_id)
            .run();
    }

private:
    check::TemporaryDatabase database_;
    check::ManualClock clock_;
};

void records_phases_with_what_they_wait_for()
{
    Fixture run;
    CHECK_EQUAL(run.phases(), "a:QUEUED/0 b:QUEUED/1 c:QUEUED/0 d:QUEUED/2");
    CHECK_EQUAL(run.counters(), "QUEUED 4/0 t1 3/0 t2 1/0");
    CHECK_EQUAL(run.get().query_integer("SELECT count(*) FROM phase_dependencies"), 2);
    CHECK_EQUAL(run.get().query_text("SELECT plan FROM runs"), two_tiers);
    CHECK_EQUAL(run.get().query_integer("SELECT token_cap_from_plan FROM runs"), 0);
    const PhaseSpec stored = phase_spec_from_json(
        run.get().query_text("SELECT spec FROM phases WHERE phase_id = 'd'"));
    CHECK_EQUAL(stored.max_attempts, 3);
}

void gives_run_and_phases_their_budgets()
{
    Fixture run;
    const auto cap = [&](const std::string &phase_id) {
        return run.get().query_integer(
            "SELECT token_cap FROM budgets WHERE phase_id = '" + phase_id + "'");
    };
    CHECK_EQUAL(cap(""), 5'000'000);
    CHECK_EQUAL(cap("a"), 750'000);
    CHECK_EQUAL(cap("b"), 7);
    CHECK_EQUAL(cap("d"), 500'000);
    CHECK_EQUAL(run.get().query_text("SELECT group_concat(phase_id || "
                                     "cost_cap_microusd) FROM budgets WHERE "
                                     "cost_cap_microusd IS NOT NULL"),
                "c1500000");
}

void lets_the_plan_cap_the_run()
{
    Fixture run(R"({"run_id": "r", "token_cap": 9, "phases":
        [{"id": "a", "command": "true"}]})");
    CHECK_EQUAL(run.get().query_integer("SELECT token_cap_from_plan FROM runs"), 1);
    CHECK_EQUAL(show_run(run.get(), "r").token_cap, 9);
}

void refuses_a_run_id_twice_and_changes_nothing()
{
    Fixture run;
    CHECK_THROWS(create_run(run.get(), parse_plan(two_tiers, "p"), two_tiers, TokenCaps(),
                            run.clock()),
                 Error, [](const Error &error) {
                     CHECK_EQUAL(error.status(), ExitStatus::BadData);
                 });
    CHECK_EQUAL(run.get().query_integer("SELECT count(*) FROM phases"), 4);
    CHECK(!run.get().in_transaction());
}

void lists_and_shows_runs()
{
    Fixture run;
    const Plan other = parse_plan(two_tiers, "p", "other");
    check::ManualClock later;
    later.advance(std::chrono::seconds(5));
    create_run(run.get(), other, two_tiers, TokenCaps(), later);
    run.end("a", "COMPLETE");
    const auto all = list_runs(run.get(), {});
    CHECK_EQUAL(all.size(), 2u);
    CHECK_EQUAL(all[0].run_id, "other");
    CHECK_EQUAL(all[1].phases, 4);
    CHECK_EQUAL(all[1].phases_complete, 1);
    CHECK_EQUAL(list_runs(run.get(), {std::nullopt, 1}).size(), 1u);
    CHECK_EQUAL(list_runs(run.get(), {"DONE_FAILED", 9}).size(), 0u);
    CHECK_THROWS(list_runs(run.get(), {"FAILED", 9}), UsageError,
                 [](const UsageError &) {});
    CHECK_EQUAL(
        run_to_json(show_run(run.get(), "r")).get_string("created_at").value_or(""),
        "2027-01-15T08:00:00.000Z");
    CHECK_THROWS(show_run(run.get(), "othr"), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::NoInput);
        CHECK_EQUAL(std::string(error.what()), "no run 'othr'; did you mean 'other'?");
    });
}

void lists_phases_in_the_order_of_the_plan()
{
    Fixture run;
    const auto phases = list_phases(run.get(), "r");
    CHECK_EQUAL(phases.size(), 4u);
    CHECK_EQUAL(phases[3].phase_id, "d");
    CHECK_EQUAL(phases[3].tier_id, "t2");
    CHECK_EQUAL(phases[1].token_cap, 7);
    CHECK_EQUAL(phase_to_json(phases[0]).get_string("type").value_or(""), "research");
}

void retries_what_failed_and_what_waited_for_it()
{
    Fixture run;
    run.end("a", "FAILED");
    run.end("c", "COMPLETE");
    CHECK_EQUAL(run.counters(), "DONE_FAILED 0/1 t1 0/1 t2 0/0");
    CHECK_EQUAL(retry_run(run.get(), "r", std::nullopt), 3);
    CHECK_EQUAL(run.phases(), "a:QUEUED/0 b:QUEUED/1 c:COMPLETE/0 d:QUEUED/2");
    CHECK_EQUAL(run.counters(), "QUEUED 3/0 t1 2/0 t2 1/0");
    CHECK_EQUAL(run.get().query_integer("SELECT count(*) FROM phases WHERE failures > 0 "
                                        "OR reason IS NOT NULL OR (status = 'QUEUED' "
                                        "AND ended_at IS NOT NULL)"),
                0);
    CHECK_EQUAL(run.get().query_integer("SELECT count(*) FROM runs WHERE ended_at IS NOT "
                                        "NULL OR reason IS NOT NULL"),
                0);
    for (const char *phase : {"a", "b"}) {
        run.end(phase, "COMPLETE");
    }
    CHECK_EQUAL(run.phases(), "a:COMPLETE/0 b:COMPLETE/0 c:COMPLETE/0 d:QUEUED/0");
    run.end("d", "COMPLETE");
    CHECK_EQUAL(run.counters(), "DONE_SUCCESS 0/0 t1 0/0 t2 0/0");
}

void leaves_skipped_what_another_failure_holds()
{
    Fixture run;
    run.end("a", "FAILED");
    run.end("c", "FAILED");
    CHECK_EQUAL(retry_run(run.get(), "r", "a"), 2);
    CHECK_EQUAL(run.phases(), "a:QUEUED/0 b:QUEUED/1 c:FAILED/0 d:SKIPPED/2");
    CHECK_EQUAL(run.counters(), "QUEUED 2/1 t1 2/1 t2 0/0");
    run.end("a", "COMPLETE");
    run.end("b", "COMPLETE");
    CHECK_EQUAL(run.counters(), "DONE_FAILED 0/1 t1 0/1 t2 0/0");
    CHECK_EQUAL(retry_run(run.get(), "r", "c"), 2);
    CHECK_EQUAL(run.phases(), "a:COMPLETE/0 b:COMPLETE/0 c:QUEUED/0 d:QUEUED/1");
    run.end("c", "COMPLETE");
    run.end("d", "COMPLETE");
    CHECK_EQUAL(run.counters(), "DONE_SUCCESS 0/0 t1 0/0 t2 0/0");
}

void holds_back_what_depends_on_something_held()
{
    Fixture run(R"({"run_id": "r", "phases": [
        {"id": "x", "command": "true"}, {"id": "y", "command": "true"},
        {"id": "p", "command": "true", "depends_on": ["x"]},
        {"id": "q", "command": "true", "depends_on": ["p", "y"]}]})");
    run.end("x", "FAILED");
    run.end("y", "FAILED");
    CHECK_EQUAL(retry_run(run.get(), "r", "y"), 1);
    CHECK_EQUAL(run.phases(), "x:FAILED/0 y:QUEUED/0 p:SKIPPED/1 q:SKIPPED/2");
}

void queues_an_aborted_run_again_without_its_old_request()
{
    Fixture run;
    run.end("a", "COMPLETE");
    submit_control(run.get(), "r", ControlVerb::Abort, "", "ap-ctl", run.clock());
    abort_run(run.get(), "r", "aborted", run.clock());
    CHECK_EQUAL(run.counters(), "DONE_ABORTED 0/0 t1 0/0 t2 0/0");
    CHECK_EQUAL(retry_run(run.get(), "r", std::nullopt), 3);
    CHECK_EQUAL(run.phases(), "a:COMPLETE/0 b:QUEUED/0 c:QUEUED/0 d:QUEUED/1");
    CHECK_EQUAL(run.counters(), "QUEUED 3/0 t1 2/0 t2 1/0");
    CHECK_EQUAL(pending_controls(run.get(), "r").size(), 0u);
    CHECK_EQUAL(run_standing(run.get(), "r").requested, "");
}

void says_why_there_is_nothing_to_retry()
{
    Fixture run;
    const auto check_refused = [&](const std::optional<std::string> &phase,
                                   ExitStatus status, const std::string &message) {
        CHECK_THROWS(retry_run(run.get(), "r", phase), Error, [&](const Error &error) {
            CHECK_EQUAL(error.status(), status);
            CHECK_EQUAL(std::string(error.what()), message);
        });
    };
    check_refused(std::nullopt, ExitStatus::BadData,
                  "run 'r' (QUEUED) has no failed or skipped phase to retry");
    check_refused("a", ExitStatus::BadData,
                  "phase 'a' of run 'r': expected it FAILED, it is QUEUED");
    check_refused("z", ExitStatus::NoInput, "run 'r' has no phase 'z'");
}

void refuses_to_retry_or_delete_under_a_living_executor()
{
    Fixture run;
    run.end("a", "FAILED");
    ProcessIdentity gone = ProcessIdentity::self();
    gone.started--;
    run.add_executor(gone);
    CHECK(!has_live_executor(run.get(), "r"));
    run.add_executor(ProcessIdentity::self());
    CHECK(has_live_executor(run.get(), "r"));
    CHECK_THROWS(retry_run(run.get(), "r", "a"), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::TryAgain);
    });
    run.get().execute("UPDATE executors SET ended_at = 1");
    CHECK(!has_live_executor(run.get(), "r"));
}

void deletes_records_and_files_and_keeps_events()
{
    const check::TemporaryDirectory directory;
    State state(state_paths(directory.file("autopack.db")), State::Access::Create,
                "test");
    const check::ManualClock clock;
    create_run(state.database(), parse_plan(two_tiers, "p"), two_tiers, TokenCaps(),
               clock);
    const std::string files = state.paths().run_directory("r");
    make_directories(join_path(files, "phases/a"));
    state.database().execute("INSERT INTO executors (executor_id, run_id, pid, "
                             "pid_started, boot_id, jobs, started_at) VALUES (1, 'r', 1, "
                             "1, 'never', 1, 0)");
    delete_run(state, "r");
    CHECK(!path_exists(files));
    for (const char *table :
         {"runs", "tiers", "phases", "phase_dependencies", "budgets", "executors"}) {
        CHECK_EQUAL(
            state.database().query_integer(std::string("SELECT count(*) FROM ") + table),
            0);
    }
    CHECK(state.database().query_integer(
              "SELECT count(*) FROM events WHERE run_id = 'r'") >= 2);
    CHECK_THROWS(delete_run(state, "r"), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::NoInput);
    });
}

// What is there when a deletion was killed after its commit.
void delete_records_only(State &state)
{
    state.database().execute("DELETE FROM runs WHERE run_id = 'r'");
    make_directories(join_path(state.paths().run_directory("r"), "phases/a"));
}

void removes_what_a_killed_deletion_has_left()
{
    const check::TemporaryDirectory directory;
    State state(state_paths(directory.file("autopack.db")), State::Access::Create,
                "test");
    const check::ManualClock clock;
    const Plan plan = parse_plan(two_tiers, "p");
    create_run(state, plan, two_tiers, TokenCaps(), clock);
    const std::string foreign = state.paths().run_directory("never-a-run");
    make_directories(foreign);
    delete_records_only(state);
    CHECK_EQUAL(remove_files_of_deleted_runs(state), 1);
    CHECK_EQUAL(remove_files_of_deleted_runs(state), 0);
    CHECK(!path_exists(state.paths().run_directory("r")));
    CHECK(path_exists(foreign));
}

void leaves_the_files_of_a_run_that_was_made_again()
{
    const check::TemporaryDirectory directory;
    State state(state_paths(directory.file("autopack.db")), State::Access::Create,
                "test");
    const check::ManualClock clock;
    const Plan plan = parse_plan(two_tiers, "p");
    const std::string files = state.paths().run_directory("r");
    create_run(state, plan, two_tiers, TokenCaps(), clock);
    delete_records_only(state);
    create_run(state, plan, two_tiers, TokenCaps(), clock);
    CHECK(!path_exists(files)); // those of the old run
    make_directories(files);
    CHECK_EQUAL(remove_files_of_deleted_runs(state), 0);
    CHECK(path_exists(files));
}

void keeps_the_files_of_a_run_that_cannot_be_deleted()
{
    const check::TemporaryDirectory directory;
    State state(state_paths(directory.file("autopack.db")), State::Access::Create,
                "test");
    const check::ManualClock clock;
    create_run(state, parse_plan(two_tiers, "p"), two_tiers, TokenCaps(), clock);
    const std::string files = state.paths().run_directory("r");
    make_directories(files);
    state.database().execute("CREATE TRIGGER refuse BEFORE DELETE ON runs BEGIN "
                             "SELECT RAISE(ABORT, 'no'); END");
    CHECK_THROWS(delete_run(state, "r"), SqliteError, [](const SqliteError &) {});
    CHECK(path_exists(files));
}

void exports_everything_but_leases()
{
    Fixture run;
    run.add_executor(ProcessIdentity::self());
    const auto lease = lease_next_phase(run.get(), "r", 1, run.clock());
    CHECK(lease.has_value());
    const Json exported = export_run(run.get(), "r");
    CHECK(!run.get().in_transaction());
    CHECK_EQUAL(exported.get("run").get_string("run_id").value_or(""), "r");
    CHECK_EQUAL(exported.get("plan").get("tiers").size(), 2u);
    CHECK_EQUAL(exported.get("phases").size(), 4u);
    CHECK(exported.get("phases").at(0).get("spec").is_object());
    CHECK_EQUAL(exported.get("attempts").at(0).get_integer("number").value_or(0), 1);
    CHECK(exported.get("events").size() > 0);
    CHECK(exported.dump().find(lease->token) == std::string::npos);
    for (const char *name : {"tiers", "phase_dependencies", "executors", "budgets",
                             "reservations", "usage", "controls"}) {
        CHECK(exported.get(name).is_array());
    }
}

void takes_five_thousand_phases_in_well_under_a_second()
{
    std::string text = "{\"run_id\": \"big\", \"phases\": [";
    for (int i = 0; i < 5000; i++) {
        text += (i == 0 ? "{" : ",\n{") + std::string("\"id\": \"p") + std::to_string(i) +
                "\", \"command\": \"true\", \"depends_on\": [" +
                (i == 0 ? "" : "\"p" + std::to_string(i - 1) + "\"") + "]}";
    }
    Fixture run;
    const std::clock_t start = std::clock();
    create_run(run.get(), parse_plan(text + "]}", "p"), text + "]}", TokenCaps(),
               run.clock());
    run.get().execute("UPDATE phases SET status = CASE phase_id WHEN 'p0' THEN 'FAILED' "
                      "ELSE 'SKIPPED' END WHERE run_id = 'big'");
    CHECK_EQUAL(retry_run(run.get(), "big", std::nullopt), 5000);
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    // Of the processor, which a busy machine does not lengthen, and so many that it
    // passes with sanitizers while a quadratic step fails.
    CHECK(seconds < 6);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(records_phases_with_what_they_wait_for),
        TEST(gives_run_and_phases_their_budgets),
        TEST(lets_the_plan_cap_the_run),
        TEST(refuses_a_run_id_twice_and_changes_nothing),
        TEST(lists_and_shows_runs),
        TEST(lists_phases_in_the_order_of_the_plan),
        TEST(retries_what_failed_and_what_waited_for_it),
        TEST(leaves_skipped_what_another_failure_holds),
        TEST(holds_back_what_depends_on_something_held),
        TEST(queues_an_aborted_run_again_without_its_old_request),
        TEST(says_why_there_is_nothing_to_retry),
        TEST(refuses_to_retry_or_delete_under_a_living_executor),
        TEST(deletes_records_and_files_and_keeps_events),
        TEST(removes_what_a_killed_deletion_has_left),
        TEST(leaves_the_files_of_a_run_that_was_made_again),
        TEST(keeps_the_files_of_a_run_that_cannot_be_deleted),
        TEST(exports_everything_but_leases),
        TEST(takes_five_thousand_phases_in_well_under_a_second),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
