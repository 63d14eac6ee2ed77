#include "domain/database_snapshot.hh"

#include "check.hh"
#include "installation.hh"

#include "base/error.hh"

#include <fcntl.h>
#include <sys/stat.h>

using namespace ap;

namespace {

constexpr const char *copy_name = ".autopack-snapshot";

// What the snapshot holds, as a file of its own.
Sqlite database_of(const DatabaseSnapshot &snapshot, const std::string &path)
{
    std::string bytes(static_cast<size_t>(snapshot.size()), '\0');
    CHECK_EQUAL(snapshot.reader()(bytes.data(), bytes.size(), 0), bytes.size());
    write_file_atomically(path, bytes);
    return Sqlite(path, OpenMode::ReadOnly);
}

// Enough for the log to be brought into the file many times over.
void write_much(const check::Installation &state)
{
    Sqlite database(state.paths().database, OpenMode::ReadWrite);
    for (int i = 0; i < 200; i++) {
        database.execute("INSERT INTO events (created_at, kind, detail) VALUES "
                         "(1, 'test.write', hex(randomblob(30000)))");
    }
}

void holds_what_was_committed_before_it_and_nothing_later()
{
    const check::Installation state("a");
    state.add_run("one");
    const State keeps_the_log(state.paths(), State::Access::Write, "test");
    const DatabaseSnapshot snapshot(state.paths());
    state.add_run("two");
    Sqlite held = database_of(snapshot, state.beside("held.db"));
    CHECK_EQUAL(held.query_text("SELECT group_concat(run_id) FROM runs"), "one");
    CHECK_EQUAL(held.query_text("PRAGMA integrity_check"), "ok");
    CHECK_EQUAL(held.query_text("PRAGMA journal_mode"), "delete");
}

void needs_no_copy_and_stands_still_while_others_write()
{
    const check::Installation state("a");
    const State keeps_the_log(state.paths(), State::Access::Write, "test");
    write_much(state);
    DatabaseSnapshot snapshot(state.paths());
    CHECK(!state.has(copy_name));
    const int64_t events = snapshot.count("events");
    std::string before(static_cast<size_t>(snapshot.size()), '\0');
    static_cast<void>(snapshot.reader()(before.data(), before.size(), 0));
    write_much(state);
    Sqlite held = database_of(snapshot, state.beside("held.db"));
    CHECK_EQUAL(held.query_integer("SELECT count(*) FROM events"), events);
    CHECK_EQUAL(held.query_text("PRAGMA integrity_check"), "ok");
    CHECK(read_file(state.beside("held.db"), 64 << 20) == before);
    snapshot.finish();
}

void lets_writers_go_on()
{
    const check::Installation state("a");
    const DatabaseSnapshot snapshot(state.paths());
    Sqlite database(state.paths().database, OpenMode::ReadWrite,
                    std::chrono::milliseconds(0));
    database.execute("INSERT INTO events (created_at, kind) VALUES (1, 'test.write')");
}

void is_a_copy_where_somebody_reads_an_older_moment()
{
    const check::Installation state("a");
    state.add_run("one");
    Sqlite old(state.paths().database, OpenMode::ReadWrite);
    old.execute("BEGIN; SELECT count(*) FROM runs");
    state.add_run("two");
    {
        DatabaseSnapshot snapshot(state.paths());
        CHECK(state.has(copy_name));
        state.add_run("three");
        Sqlite held = database_of(snapshot, state.beside("held.db"));
        CHECK_EQUAL(held.query_integer("SELECT count(*) FROM runs"), 2);
        snapshot.begin_check();
        snapshot.finish();
    }
    CHECK(!state.has(copy_name));
}

void notices_what_wrote_to_the_file_past_sqlite()
{
    const check::Installation state("a");
    DatabaseSnapshot snapshot(state.paths());
    const timespec times[2] = {{5, 5}, {5, 5}};
    CHECK_EQUAL(utimensat(AT_FDCWD, state.paths().database.c_str(), times, 0), 0);
    CHECK_THROWS((snapshot.finish(), 0), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::TryAgain);
    });
}

void the_log_is_emptied_again_after_it()
{
    const check::Installation state("a");
    const State keeps_the_log(state.paths(), State::Access::Write, "test");
    {
        const DatabaseSnapshot snapshot(state.paths());
        write_much(state);
    }
    Sqlite database(state.paths().database, OpenMode::ReadWrite);
    CHECK_EQUAL(database.query_integer("PRAGMA wal_checkpoint(TRUNCATE)"), 0);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(holds_what_was_committed_before_it_and_nothing_later),
        TEST(needs_no_copy_and_stands_still_while_others_write),
        TEST(lets_writers_go_on),
        TEST(is_a_copy_where_somebody_reads_an_older_moment),
        TEST(notices_what_wrote_to_the_file_past_sqlite),
        TEST(the_log_is_emptied_again_after_it),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
