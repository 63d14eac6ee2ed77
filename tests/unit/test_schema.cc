#include "check.hh"
#include "support.hh"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace ap;

namespace {

constexpr Migration first = {1, "first",
                             "CREATE TABLE parents (id INTEGER PRIMARY KEY);"
                             "INSERT INTO parents VALUES (1), (2)"};
constexpr Migration second = {2, "second", "ALTER TABLE parents ADD COLUMN name TEXT"};
constexpr Migration fails_midway = {
    2, "broken",
    "ALTER TABLE parents ADD COLUMN name TEXT; INSERT INTO nowhere VALUES (1)"};
constexpr Migration rebuilds = {
    2, "rebuild",
    "CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parents);"
    "INSERT INTO children VALUES (1, 1);"
    "CREATE TABLE copy (id INTEGER PRIMARY KEY); INSERT INTO copy SELECT * FROM parents;"
    "DROP TABLE parents; ALTER TABLE copy RENAME TO parents"};
constexpr Migration orphans = {
    2, "orphans",
    "CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER "
    "REFERENCES parents); INSERT INTO children VALUES (1, 99)"};

constexpr Migration one_step[] = {first};
constexpr Migration two_steps[] = {first, second};
constexpr Migration broken_steps[] = {first, fails_midway};
constexpr Migration rebuilding_steps[] = {first, rebuilds};
constexpr Migration orphaning_steps[] = {first, orphans};

class Fixture
{
public:
    Fixture()
        : database_(path(), OpenMode::Create)
    {
        database_.execute("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON");
    }

    std::string path() const { return directory_.file("a.db"); }
    std::string snapshot() const { return path() + ".before-migration-2-from-1"; }
    Sqlite &get() { return database_; }

    std::string columns()
    {
        return database_.query_text(
            "SELECT group_concat(name) FROM pragma_table_info('parents')");
    }

    void check_snapshot_is_first_schema() const
    {
        Sqlite copy(snapshot(), OpenMode::ReadOnly);
        CHECK_EQUAL(schema_version(copy), 1);
        CHECK_EQUAL(copy.query_text("PRAGMA integrity_check"), "ok");
        CHECK_EQUAL(copy.query_integer("SELECT count(*) FROM parents"), 2);
        CHECK_EQUAL(copy.query_text(
                        "SELECT group_concat(name) FROM pragma_table_info('parents')"),
                    "id");
    }

private:
    check::TemporaryDirectory directory_;
    Sqlite database_;
};

void makes_the_schema_in_an_empty_file_without_a_snapshot()
{
    Fixture file;
    CHECK_EQUAL(schema_version(file.get()), 0);
    const MigrationResult result = migrate(file.get(), two_steps);
    CHECK_EQUAL(result.from, 0);
    CHECK_EQUAL(result.to, 2);
    CHECK_EQUAL(result.snapshot, "");
    CHECK_EQUAL(schema_version(file.get()), 2);
    CHECK_EQUAL(file.get().query_integer("PRAGMA application_id"), application_id);
    CHECK_EQUAL(file.columns(), "id,name");
}

void finds_nothing_to_do_in_a_new_file()
{
    Fixture file;
    migrate(file.get(), two_steps);
    const MigrationResult again = migrate(file.get(), two_steps);
    CHECK_EQUAL(again.from, 2);
    CHECK_EQUAL(again.snapshot, "");
}

void keeps_a_snapshot_of_the_schema_before()
{
    Fixture file;
    migrate(file.get(), one_step);
    CHECK(chmod(file.path().c_str(), 0600) == 0);
    const MigrationResult result = migrate(file.get(), two_steps);
    CHECK_EQUAL(result.from, 1);
    CHECK_EQUAL(result.snapshot, file.snapshot());
    CHECK_EQUAL(file.columns(), "id,name");
    file.check_snapshot_is_first_schema();
    struct stat status = {};
    CHECK(stat(file.snapshot().c_str(), &status) == 0);
    CHECK_EQUAL(status.st_mode & 0777, 0600u);
    CHECK(!path_exists(file.snapshot() + "-wal"));
}

void leaves_the_old_schema_when_a_step_fails_midway()
{
    Fixture file;
    migrate(file.get(), one_step);
    CHECK_THROWS(migrate(file.get(), broken_steps), Error, [](const Error &error) {
        const std::string message = error.what();
        CHECK(message.find("migration 2 (broken)") != std::string::npos);
        CHECK(message.find("nowhere") != std::string::npos);
    });
    CHECK_EQUAL(schema_version(file.get()), 1);
    CHECK_EQUAL(file.columns(), "id");
    CHECK(!file.get().in_transaction());
    CHECK_EQUAL(file.get().query_integer("PRAGMA foreign_keys"), 1);
    file.check_snapshot_is_first_schema();
}

void may_rebuild_a_table_that_others_refer_to()
{
    Fixture file;
    migrate(file.get(), one_step);
    migrate(file.get(), rebuilding_steps);
    CHECK_EQUAL(file.get().query_integer("SELECT count(*) FROM children"), 1);
    CHECK_EQUAL(file.get().query_integer("PRAGMA foreign_keys"), 1);
}

void refuses_a_migration_that_breaks_foreign_keys()
{
    Fixture file;
    migrate(file.get(), one_step);
    CHECK_THROWS(migrate(file.get(), orphaning_steps), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
        CHECK(std::string(error.what()).find("'children'") != std::string::npos);
    });
    CHECK_EQUAL(schema_version(file.get()), 1);
}

void refuses_a_file_newer_than_the_program()
{
    Fixture file;
    migrate(file.get(), two_steps);
    CHECK_THROWS(migrate(file.get(), one_step), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::Config);
        CHECK(std::string(error.what()).find("schema 2, newer than this program's 1") !=
              std::string::npos);
    });
    CHECK_EQUAL(schema_version(file.get()), 2);
}

void refuses_the_database_of_another_application()
{
    Fixture file;
    file.get().execute("CREATE TABLE theirs (x)");
    CHECK_THROWS(migrate(file.get(), one_step), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
    });
    CHECK_EQUAL(file.get().query_text("SELECT name FROM sqlite_schema"), "theirs");
}

// Both see the old version and then ask for the lock; only the first may migrate, and the
// second must not put a copy of the new schema in the place of the snapshot.
void waits_for_another_process_and_finds_nothing_to_do()
{
    for (int round = 0; round < 20; round++) {
        Fixture file;
        migrate(file.get(), one_step);
        const pid_t child = fork();
        if (child == 0) {
            int status = 1;
            try {
                Sqlite own(file.path(), OpenMode::ReadWrite);
                const MigrationResult result = migrate(own, two_steps);
                status = result.snapshot.empty() ? 2 : 0;
            } catch (const std::exception &) {
                status = 1;
            }
            _exit(status);
        }
        Sqlite own(file.path(), OpenMode::ReadWrite);
        const MigrationResult result = migrate(own, two_steps);
        int status = -1;
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status));
        // Exactly one of the two has migrated.
        CHECK_EQUAL(WEXITSTATUS(status), result.snapshot.empty() ? 0 : 2);
        CHECK_EQUAL(result.from, result.snapshot.empty() ? 2 : 1);
        CHECK_EQUAL(schema_version(own), 2);
        file.check_snapshot_is_first_schema();
    }
}

void numbers_the_programs_migrations_without_gaps()
{
    int expected = 1;
    for (const Migration &step : migrations()) {
        CHECK_EQUAL(step.version, expected);
        expected++;
    }
    CHECK(expected > 1);
}

void refuses(Sqlite &database, const std::string &sql, const std::string &message)
{
    CHECK_THROWS(database.execute(sql), SqliteError, [&](const SqliteError &error) {
        CHECK(error.is_constraint());
        CHECK(std::string(error.what()).find(message) != std::string::npos);
    });
}

constexpr const char *one_phase =
    "INSERT INTO runs (run_id, open_phases, plan, created_at) VALUES ('r', 1, '{}', 1);"
    "INSERT INTO tiers (run_id, tier_id, ordinal, name, open_phases)"
    "  VALUES ('r', 't', 0, 't', 1);"
    "INSERT INTO phases (run_id, phase_id, tier_id, ordinal, phase_name, type, spec, "
    "  created_at) VALUES ('r', 'p', 't', 0, 'p', 'audit', '{}', 1);"
    "INSERT INTO budgets (run_id, phase_id, token_cap) VALUES ('r', '', 9), ('r', 'p', "
    "9)";

void counts_the_phases_of_the_runs_of_before()
{
    Fixture file;
    Sqlite &database = file.get();
    migrate(database, migrations().first(12));
    database.execute(one_phase);
    database.execute("INSERT INTO phases SELECT run_id, 'q', tier_id, 1, 'q', type, "
                     "'COMPLETE', NULL, 0, 0, 0, 1, 0, 0, spec, 1, 1, 2 FROM phases;"
                     "INSERT INTO runs (run_id, plan, created_at) VALUES ('s', '{}', 1)");
    migrate(database, migrations());
    CHECK_EQUAL(database.query_text("SELECT group_concat(run_id || phases || "
                                    "complete_phases, ' ') FROM runs"),
                "r21 s00");
}

void keeps_the_plans_of_the_runs_of_before()
{
    Fixture file;
    Sqlite &database = file.get();
    migrate(database, migrations().first(14));
    database.execute(
        "INSERT INTO runs (run_id, plan, created_at) VALUES ('r', '{\"r\": 1}', 1), "
        "('s', '{\"s\": 1}', 2)");
    migrate(database, migrations());
    CHECK_EQUAL(database.query_text(
                    "SELECT group_concat(run_id || plan || created_at, ' ') FROM runs"),
                "r{\"r\": 1}1 s{\"s\": 1}2");
}

void what_lists_of_runs_read_stands_before_the_long_plan()
{
    check::TemporaryDatabase database;
    CHECK_EQUAL(database.get().query_text("SELECT name FROM pragma_table_info('runs') "
                                          "ORDER BY cid DESC LIMIT 1"),
                "plan");
}

std::string totals(Sqlite &database)
{
    return database.query_text(
        "SELECT group_concat(tokens_used || '/' || tokens_reserved || '/' || "
        "cost_used_microusd || '/' || cost_reserved_microusd, ' ') FROM "
        "(SELECT * FROM budgets ORDER BY phase_id)");
}

void keeps_totals_whoever_writes_usage()
{
    check::TemporaryDatabase temporary;
    Sqlite &database = temporary.get();
    database.execute(one_phase);
    const std::string insert =
        "INSERT INTO llm_usage_events (run_id, phase_id, prompt_tokens, "
        "completion_tokens, cost_microusd, source, created_at) VALUES ('r', ";
    database.execute(insert + "'p', 10, 5, 7, 'report', 1)");
    database.execute(insert + "'', 1, 1, 1, 'report', 1)");
    CHECK_EQUAL(totals(database), "17/0/8/0 15/0/7/0");
    refuses(database, insert + "'p', 1, 1, 1, 'hearsay', 1)", "CHECK");
    refuses(database, "UPDATE llm_usage_events SET prompt_tokens = 0", "append-only");
    refuses(database, "DELETE FROM llm_usage_events", "append-only");
}

void keeps_totals_whoever_writes_reservations()
{
    check::TemporaryDatabase temporary;
    Sqlite &database = temporary.get();
    database.execute(one_phase);
    const std::string insert = "INSERT INTO budget_reservations (run_id, phase_id, "
                               "tokens, cost_microusd, pid, created_at) VALUES ('r', ";
    database.execute(insert + "'p', 10, 3, 1, 1)");
    database.execute(insert + "'p', 20, 4, 1, 1)");
    database.execute(insert + "'', 30, 5, 1, 1)");
    CHECK_EQUAL(totals(database), "0/60/0/12 0/30/0/7");
    database.execute("UPDATE budget_reservations SET tokens = 11 WHERE tokens = 10");
    CHECK_EQUAL(totals(database), "0/61/0/12 0/31/0/7");
    database.execute(
        "UPDATE budget_reservations SET status = 'SETTLED' WHERE tokens = 11");
    CHECK_EQUAL(totals(database), "0/50/0/9 0/20/0/4");
    refuses(database, "UPDATE budget_reservations SET status = 'OPEN' WHERE tokens = 11",
            "settled");
    database.execute("DELETE FROM budget_reservations WHERE tokens <= 20");
    CHECK_EQUAL(totals(database), "0/30/0/5 0/0/0/0");
}

void logs_every_change_of_state_for_good()
{
    check::TemporaryDatabase temporary;
    Sqlite &database = temporary.get();
    database.execute(one_phase);
    database.execute("UPDATE runs SET status = 'EXECUTING'");
    database.execute("UPDATE runs SET status = 'EXECUTING'");
    database.execute("UPDATE phases SET status = 'EXECUTING', reason = 'why'");
    CHECK_EQUAL(
        database.query_text("SELECT group_concat(kind || coalesce("
                            "json_extract(detail, '$.to'), ''), ' ') FROM events"),
        "run.created run.statusEXECUTING phase.statusEXECUTING");
    refuses(database, "UPDATE events SET kind = 'x'", "append-only");
    refuses(database, "DELETE FROM events", "append-only");
}

void forgets_a_deleted_run_but_not_its_events()
{
    check::TemporaryDatabase temporary;
    Sqlite &database = temporary.get();
    database.execute(one_phase);
    database.execute("INSERT INTO llm_usage_events (run_id, prompt_tokens, "
                     "completion_tokens, source, created_at) "
                     "VALUES ('r', 1, 1, 'report', 1);"
                     "INSERT INTO budget_reservations (run_id, tokens, pid, created_at) "
                     "VALUES ('r', 1, 1, 1)");
    database.execute("DELETE FROM runs");
    CHECK_EQUAL(database.query_integer("SELECT (SELECT count(*) FROM phases) + "
                                       "(SELECT count(*) FROM budgets) + "
                                       "(SELECT count(*) FROM llm_usage_events) + "
                                       "(SELECT count(*) FROM budget_reservations)"),
                0);
    CHECK_EQUAL(database.query_text("SELECT group_concat(kind, ' ') FROM events"),
                "run.created run.deleted");
}

// Else deleting a row looks through the whole table that refers to it.
void every_foreign_key_has_an_index()
{
    check::TemporaryDatabase database;
    Statement keys = database.get().prepare(
        "SELECT m.name, group_concat(f.\"from\" || ' = 1', ' AND ') "
        "FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' "
        "GROUP BY m.name, f.id");
    int count = 0;
    while (keys.step()) {
        const std::string table(keys.text(0));
        Statement plan =
            database.get().prepare("EXPLAIN QUERY PLAN SELECT 1 FROM " + table +
                                   " WHERE " + std::string(keys.text(1)));
        CHECK(plan.step());
        if (!plan.text(3).starts_with("SEARCH")) {
            check::fail_at(__FILE__, __LINE__,
                           table + ", " + std::string(keys.text(1)) + ": " +
                               std::string(plan.text(3)));
        }
        count++;
    }
    CHECK(count >= 10);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(every_foreign_key_has_an_index),
        TEST(makes_the_schema_in_an_empty_file_without_a_snapshot),
        TEST(finds_nothing_to_do_in_a_new_file),
        TEST(keeps_a_snapshot_of_the_schema_before),
        TEST(leaves_the_old_schema_when_a_step_fails_midway),
        TEST(may_rebuild_a_table_that_others_refer_to),
        TEST(refuses_a_migration_that_breaks_foreign_keys),
        TEST(refuses_a_file_newer_than_the_program),
        TEST(refuses_the_database_of_another_application),
        TEST(waits_for_another_process_and_finds_nothing_to_do),
        TEST(numbers_the_programs_migrations_without_gaps),
        TEST(counts_the_phases_of_the_runs_of_before),
        TEST(keeps_the_plans_of_the_runs_of_before),
        TEST(what_lists_of_runs_read_stands_before_the_long_plan),
        TEST(keeps_totals_whoever_writes_usage),
        TEST(keeps_totals_whoever_writes_reservations),
        TEST(logs_every_change_of_state_for_good),
        TEST(forgets_a_deleted_run_but_not_its_events),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
