#include "check.hh"
#include "support.hh"

#include "wrap/sqlite.hh"

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace ap;
using namespace std::chrono_literals;

namespace {

class Fixture
{
public:
    Fixture()
        : path(directory_.file("test.db"))
        , database(path, OpenMode::Create)
    {
        database.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;"
                         "CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT UNIQUE,"
                         " number INTEGER CHECK (number < 1000000)) STRICT");
    }

    int64_t rows() { return database.query_integer("SELECT count(*) FROM t"); }

private:
    const check::TemporaryDirectory directory_;

public:
    const std::string path;
    Sqlite database;
};

void bound_values_come_back()
{
    Fixture fixture;
    const std::string word("with 'quotes', \0 and \xc3\xa9", 23);
    fixture.database.prepare("INSERT INTO t (word, number) VALUES (?, ?)")
        .bind_all(word, int64_t{-5})
        .run();
    CHECK_EQUAL(fixture.database.changes(), 1);
    CHECK_EQUAL(fixture.database.last_insert_id(), 1);
    Statement select = fixture.database.prepare("SELECT word, number, id FROM t");
    CHECK(select.step());
    CHECK_EQUAL(select.text(0), word);
    CHECK_EQUAL(select.integer(1), -5);
    CHECK_EQUAL(select.column_count(), 3);
    CHECK_EQUAL(select.column_name(1), "number");
    CHECK(!select.step());
}

void null_is_neither_empty_nor_zero()
{
    Fixture fixture;
    Statement insert =
        fixture.database.prepare("INSERT INTO t (word, number) VALUES (?1, ?2)");
    insert.bind_all(nullptr, std::optional<int64_t>()).run();
    insert.bind_all(std::string_view(), std::optional<int64_t>(0)).run();
    Statement select = fixture.database.prepare("SELECT word, number FROM t ORDER BY id");
    CHECK(select.step());
    CHECK(select.is_null(0));
    CHECK(!select.optional_text(0));
    CHECK(!select.optional_integer(1));
    CHECK_EQUAL(select.text(0), "");
    CHECK_EQUAL(select.integer(1), 0);
    CHECK(select.step());
    CHECK(!select.is_null(0));
    CHECK_EQUAL(select.optional_text(0).value_or("none"), "");
    CHECK_EQUAL(select.optional_integer(1).value_or(-1), 0);
}

void a_statement_runs_again_after_its_end()
{
    Fixture fixture;
    Statement insert = fixture.database.prepare("INSERT INTO t (word) VALUES (?)");
    for (const char *word : {"one", "two", "three"}) {
        insert.bind(1, word).run();
    }
    CHECK_EQUAL(fixture.rows(), 3);
}

// The compiled form is kept for the next of the same text, but not the values bound.
void a_statement_taken_again_has_no_old_values()
{
    Fixture fixture;
    const std::string sql = "SELECT ?1 IS NULL";
    {
        Statement first = fixture.database.prepare(sql);
        first.bind(1, "old");
        CHECK(first.step()); // let go in the middle
        CHECK_EQUAL(first.integer(0), 0);
    }
    Statement second = fixture.database.prepare(sql);
    Statement third = fixture.database.prepare(sql); // at the same time
    CHECK(second.step());
    CHECK_EQUAL(second.integer(0), 1);
    third.bind(1, "value");
    CHECK(third.step());
    CHECK_EQUAL(third.integer(0), 0);
}

void a_statement_let_go_holds_no_lock()
{
    Fixture fixture;
    fixture.database.execute("INSERT INTO t (word) VALUES ('a'), ('b')");
    {
        Statement select = fixture.database.prepare("SELECT word FROM t");
        CHECK(select.step());
    }
    fixture.database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    fixture.database.execute("DROP TABLE t");
}

void a_statement_may_outlive_its_database()
{
    std::optional<Fixture> fixture(std::in_place);
    fixture->database.execute("INSERT INTO t (word) VALUES ('kept')");
    Statement select = fixture->database.prepare("SELECT word FROM t");
    fixture.reset();
    CHECK(select.step());
    CHECK_EQUAL(select.text(0), "kept");
}

void queries_without_a_row_are_zero_and_empty()
{
    Fixture fixture;
    CHECK_EQUAL(fixture.database.query_integer("SELECT id FROM t"), 0);
    CHECK_EQUAL(fixture.database.query_text("SELECT word FROM t"), "");
    CHECK_EQUAL(fixture.database.query_text("SELECT 'x'"), "x");
    CHECK_EQUAL(fixture.database.query_integer("SELECT 7"), 7);
}

void a_violated_constraint_is_told_and_the_statement_usable()
{
    Fixture fixture;
    Statement insert = fixture.database.prepare("INSERT INTO t (word) VALUES (?)");
    insert.bind(1, "same").run();
    CHECK_THROWS(insert.bind(1, "same").run(), SqliteError,
                 [&](const SqliteError &error) {
                     CHECK(error.is_constraint());
                     CHECK(!error.is_read_only());
                     CHECK(!error.is_corrupt());
                     CHECK_EQUAL(error.status(), ExitStatus::BadData);
                     const std::string text = error.what();
                     CHECK(text.find(fixture.path) != std::string::npos);
                     CHECK(text.find("UNIQUE") != std::string::npos);
                 });
    insert.bind(1, "other").run();
    CHECK_EQUAL(fixture.rows(), 2);
}

void wrong_sql_is_a_bug()
{
    Fixture fixture;
    const auto is_bug = [](const SqliteError &error) {
        CHECK_EQUAL(error.status(), ExitStatus::Bug);
    };
    CHECK_THROWS(fixture.database.prepare("SELEKT 1"), SqliteError, is_bug);
    CHECK_THROWS(fixture.database.execute("SELECT * FROM none"), SqliteError, is_bug);
    CHECK_THROWS(fixture.database.prepare("SELECT ?").bind(2, 1), SqliteError, is_bug);
}

void check_cannot_open(const std::string &path, OpenMode mode)
{
    CHECK_THROWS(Sqlite(path, mode), SqliteError, [&](const SqliteError &error) {
        CHECK_EQUAL(error.status(), ExitStatus::NoInput);
        CHECK(std::string(error.what()).find(path) != std::string::npos);
    });
    CHECK(!path_exists(path));
}

void only_create_makes_a_file()
{
    const check::TemporaryDirectory directory;
    check_cannot_open(directory.file("none"), OpenMode::ReadOnly);
    check_cannot_open(directory.file("none"), OpenMode::ReadWrite);
    check_cannot_open(directory.file("none/none"), OpenMode::Create);
}

void a_read_only_database_refuses_writes()
{
    Fixture fixture;
    Sqlite reader(fixture.path, OpenMode::ReadOnly);
    CHECK_EQUAL(reader.query_integer("SELECT count(*) FROM t"), 0);
    CHECK_THROWS(reader.execute("DELETE FROM t"), SqliteError,
                 [](const SqliteError &error) {
                     CHECK(error.is_read_only());
                     CHECK_EQUAL(error.status(), ExitStatus::NoPermission);
                 });
}

void a_file_that_is_no_database_is_bad_data()
{
    const check::TemporaryDirectory directory;
    write_file_atomically(directory.file("text"), std::string(8192, 'x'));
    Sqlite database(directory.file("text"), OpenMode::ReadWrite);
    CHECK_THROWS(database.query_integer("SELECT count(*) FROM sqlite_schema"),
                 SqliteError, [](const SqliteError &error) {
                     CHECK(error.is_corrupt());
                     CHECK_EQUAL(error.status(), ExitStatus::BadData);
                 });
}

void a_transaction_is_undone_unless_committed()
{
    Fixture fixture;
    {
        const Transaction transaction(fixture.database);
        CHECK(fixture.database.in_transaction());
        fixture.database.execute("INSERT INTO t (word) VALUES ('lost')");
    }
    CHECK(!fixture.database.in_transaction());
    CHECK_EQUAL(fixture.rows(), 0);
    {
        Transaction transaction(fixture.database);
        fixture.database.execute("INSERT INTO t (word) VALUES ('kept')");
        transaction.commit();
        CHECK(!fixture.database.in_transaction());
    }
    CHECK_EQUAL(fixture.rows(), 1);
}

// As when the disk is full: SQLite has rolled back by itself.
void a_transaction_ended_by_sqlite_ends_quietly()
{
    Fixture fixture;
    {
        const Transaction transaction(fixture.database);
        fixture.database.execute("ROLLBACK");
    }
    const Transaction next(fixture.database);
    CHECK(fixture.database.in_transaction());
}

void work_joins_the_callers_transaction()
{
    Fixture fixture;
    const auto insert = [&] {
        CHECK(fixture.database.in_transaction());
        fixture.database.execute("INSERT INTO t (word) VALUES (NULL)");
    };
    in_transaction(fixture.database, insert);
    CHECK_EQUAL(fixture.rows(), 1);
    {
        const Transaction outer(fixture.database);
        in_transaction(fixture.database, insert);
        CHECK(fixture.database.in_transaction());
        CHECK_EQUAL(fixture.rows(), 2);
    }
    CHECK_EQUAL(fixture.rows(), 1);
    CHECK_THROWS(in_transaction(fixture.database,
                                [&] {
                                    insert();
                                    throw Error(ExitStatus::Failed, "no");
                                }),
                 Error, [](const Error &) {});
    CHECK_EQUAL(fixture.rows(), 1);
}

// Read-modify-write by several processes: every step counts, nobody is turned away.
void writers_of_several_processes_wait_for_each_other()
{
    constexpr int writers = 4;
    constexpr int steps = 200;
    Fixture fixture;
    fixture.database.execute("INSERT INTO t (id, number) VALUES (1, 0)");
    std::vector<pid_t> children;
    for (int i = 0; i < writers; i++) {
        children.push_back(fork());
        if (children.back() == 0) {
            int failed = 0;
            try {
                Sqlite own(fixture.path, OpenMode::ReadWrite);
                for (int step = 0; step < steps; step++) {
                    Transaction transaction(own);
                    const int64_t number = own.query_integer("SELECT number FROM t");
                    own.prepare("UPDATE t SET number = ?").bind(1, number + 1).run();
                    transaction.commit();
                }
            } catch (const std::exception &) {
                failed = 1;
            }
            _exit(failed);
        }
    }
    for (const pid_t child : children) {
        int status = -1;
        waitpid(child, &status, 0);
        CHECK_EQUAL(status, 0);
    }
    CHECK_EQUAL(fixture.database.query_integer("SELECT number FROM t"), writers * steps);
}

void a_writer_gives_up_when_it_has_waited_long_enough()
{
    CHECK(default_writer_wait == 10s);
    Fixture fixture;
    const Transaction holder(fixture.database);
    Sqlite other(fixture.path, OpenMode::ReadWrite, 300ms);
    const auto start = std::chrono::steady_clock::now();
    CHECK_THROWS(Transaction(other), SqliteError, [](const SqliteError &error) {
        CHECK_EQUAL(error.status(), ExitStatus::TryAgain);
    });
    const auto waited = std::chrono::steady_clock::now() - start;
    CHECK(waited >= 300ms);
    CHECK(waited < 5s);
}

void a_copy_is_whole_and_one_file()
{
    Fixture fixture;
    const check::TemporaryDirectory directory;
    fixture.database.execute("INSERT INTO t (word) VALUES ('in the log')");
    fixture.database.copy_to(directory.file("copy"));
    fixture.database.execute("INSERT INTO t (word) VALUES ('later')");
    CHECK(!path_exists(directory.file("copy-wal")));
    CHECK_EQUAL(rename(directory.file("copy").c_str(), directory.file("moved").c_str()),
                0);
    Sqlite copy(directory.file("moved"), OpenMode::ReadOnly);
    CHECK_EQUAL(copy.query_text("SELECT group_concat(word) FROM t"), "in the log");
    CHECK_EQUAL(copy.query_text("PRAGMA integrity_check"), "ok");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(bound_values_come_back),
        TEST(null_is_neither_empty_nor_zero),
        TEST(a_statement_runs_again_after_its_end),
        TEST(a_statement_taken_again_has_no_old_values),
        TEST(a_statement_let_go_holds_no_lock),
        TEST(a_statement_may_outlive_its_database),
        TEST(queries_without_a_row_are_zero_and_empty),
        TEST(a_violated_constraint_is_told_and_the_statement_usable),
        TEST(wrong_sql_is_a_bug),
        TEST(only_create_makes_a_file),
        TEST(a_read_only_database_refuses_writes),
        TEST(a_file_that_is_no_database_is_bad_data),
        TEST(a_transaction_is_undone_unless_committed),
        TEST(a_transaction_ended_by_sqlite_ends_quietly),
        TEST(work_joins_the_callers_transaction),
        TEST(writers_of_several_processes_wait_for_each_other),
        TEST(a_writer_gives_up_when_it_has_waited_long_enough),
        TEST(a_copy_is_whole_and_one_file),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
