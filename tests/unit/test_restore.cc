#include "domain/restore.hh"

#include "check.hh"
#include "installation.hh"

#include "base/error.hh"
#include "domain/backup.hh"
#include "domain/restore_merge.hh"
#include "domain/restore_swap.hh"
#include "domain/schema.hh"
#include "sys/file_lock.hh"
#include "wrap/archive.hh"

#include <fcntl.h>
#include <sys/stat.h>

using namespace ap;

namespace {

std::string back_up(const check::Installation &state, std::string_view name = "b.tar.zst",
                    const std::optional<std::string> &base = std::nullopt)
{
    BackupOptions options;
    options.output = state.beside(name);
    options.base = base;
    create_backup(state.paths(), options);
    return options.output;
}

RestoreResult restore(const std::string &path, const StatePaths &paths,
                      const std::vector<std::string> &only = {})
{
    RestoreInput input;
    input.path = path;
    RestoreOptions options;
    options.only = only;
    return restore_backup(RestoreSource(input), paths, options);
}

StatePaths elsewhere(const std::string &directory)
{
    return {directory + "/autopack.db", directory + "/.autonomous_runs", directory};
}

void brings_back_what_was_backed_up()
{
    const check::Installation state("a");
    state.add_run("demo");
    const std::string backup = back_up(state);
    state.add_run("later");
    state.write("docs/BUILD_HISTORY.md", "changed");
    const RestoreResult result = restore(backup, state.paths());
    CHECK_EQUAL(state.query("SELECT group_concat(run_id) FROM runs"), "demo");
    CHECK_EQUAL(state.read("docs/BUILD_HISTORY.md"), "# History\n");
    CHECK_EQUAL(state.read(".autonomous_runs/demo/executor.log"), "log of demo\n");
    CHECK(!state.has(".autonomous_runs/later"));
    CHECK(!state.has(".autopack-restore-staging"));
    CHECK(result.findings.empty());
}

void keeps_what_was_there()
{
    const check::Installation state("a");
    const std::string backup = back_up(state);
    state.add_run("later");
    const RestoreResult result = restore(backup, state.paths());
    CHECK_EQUAL(Sqlite(result.rollback + "/autopack.db", OpenMode::ReadOnly)
                    .query_text("SELECT run_id FROM runs"),
                "later");
    CHECK_EQUAL(read_file(result.rollback + "/.autonomous_runs/later/executor.log", 100),
                "log of later\n");
}

void keeps_files_that_no_backup_holds()
{
    const check::Installation state("a");
    state.write("config/.env", "KEY=1\n");
    restore(back_up(state), state.paths());
    CHECK_EQUAL(state.read("config/.env"), "KEY=1\n");
}

void restores_at_another_place()
{
    const check::Installation laptop("laptop");
    laptop.add_run("demo");
    const StatePaths desktop = elsewhere(laptop.beside("deep/desktop"));
    const RestoreResult result = restore(back_up(laptop), desktop);
    CHECK_EQUAL(result.rollback, "");
    CHECK_EQUAL(Sqlite(desktop.database, OpenMode::ReadOnly)
                    .query_text("SELECT run_id FROM runs"),
                "demo");
    CHECK_EQUAL(read_file(desktop.runs + "/demo/executor.log", 100), "log of demo\n");
}

void restores_only_what_is_asked_for()
{
    const check::Installation state("a");
    state.add_run("one");
    state.add_run("two");
    const std::string backup = back_up(state);
    state.write(".autonomous_runs/one/executor.log", "lost");
    state.write(".autonomous_runs/two/executor.log", "kept");
    restore(backup, state.paths(), {".autonomous_runs/one"});
    CHECK_EQUAL(state.read(".autonomous_runs/one/executor.log"), "log of one\n");
    CHECK_EQUAL(state.read(".autonomous_runs/two/executor.log"), "kept");
    CHECK_THROWS(
        restore(backup, state.paths(), {"docs/none"}), Error,
        [](const Error &error) { CHECK_EQUAL(error.status(), ExitStatus::NoInput); });
}

void puts_an_incremental_backup_together()
{
    const check::Installation state("a");
    state.add_run("one");
    const std::string full = back_up(state, "full.tar.zst");
    state.add_run("two");
    const std::string second = back_up(state, "second.tar.zst", full);
    for (int i = 0; i < 50; i++) {
        state.add_run("more" + std::to_string(i));
    }
    const std::string third = back_up(state, "third.tar.zst", second);
    const std::string runs = state.query("SELECT group_concat(run_id) FROM runs");
    const StatePaths copy = elsewhere(state.beside("copy"));
    restore(third, copy);
    CHECK_EQUAL(Sqlite(copy.database, OpenMode::ReadOnly)
                    .query_text("SELECT group_concat(run_id) FROM runs"),
                runs);
    CHECK_EQUAL(read_file(copy.runs + "/one/executor.log", 100), "log of one\n");
    CHECK_EQUAL(read_file(copy.runs + "/more49/executor.log", 100), "log of more49\n");
}

void wants_the_very_base()
{
    const check::Installation state("a");
    const std::string full = back_up(state, "full.tar.zst");
    const std::string next = back_up(state, "next.tar.zst", full);
    back_up(state, "full.tar.zst");
    CHECK_THROWS(
        restore(next, elsewhere(state.beside("x"))), Error,
        [](const Error &error) { CHECK_EQUAL(error.status(), ExitStatus::BadData); });
    remove_file(full);
    CHECK_THROWS(
        restore(next, elsewhere(state.beside("x"))), Error,
        [](const Error &error) { CHECK_EQUAL(error.status(), ExitStatus::NoInput); });
}

void refuses_while_somebody_has_the_state_open()
{
    const check::Installation state("a");
    const std::string backup = back_up(state);
    const State user(state.paths(), State::Access::Write, "ap-exec");
    CHECK_THROWS(restore(backup, state.paths()), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::TryAgain);
        CHECK(std::string_view(error.what()).starts_with("ap-exec (pid "));
    });
    CHECK(!state.has(".autopack-restore-staging"));
}

void replaces_a_damaged_database_and_its_log()
{
    const check::Installation state("a");
    state.add_run("demo");
    const std::string backup = back_up(state);
    state.write("autopack.db", std::string(20'000, 'x'));
    state.write("autopack.db-wal", "stale");
    state.write("autopack.db-shm", "stale");
    const RestoreResult result = restore(backup, state.paths());
    CHECK(!state.has("autopack.db-wal"));
    CHECK(!state.has("autopack.db-shm"));
    CHECK_EQUAL(state.query("SELECT run_id FROM runs"), "demo");
    CHECK_EQUAL(read_file(result.rollback + "/autopack.db", 30'000),
                std::string(20'000, 'x'));
}

void changes_nothing_for_a_bad_backup()
{
    const check::Installation state("a");
    const std::string backup = back_up(state);
    state.add_run("later");
    std::string bytes = read_file(backup, 1 << 20);
    bytes[bytes.size() - 300] = static_cast<char>(bytes[bytes.size() - 300] ^ 4);
    write_file_atomically(backup, bytes);
    CHECK_THROWS(restore(backup, state.paths()), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
    });
    CHECK_EQUAL(state.query("SELECT run_id FROM runs"), "later");
    CHECK(!state.has(".autopack-restore-staging"));
}

void takes_up_what_was_under_way()
{
    const check::Installation state("a");
    state.add_run("demo");
    Sqlite(state.paths().database, OpenMode::ReadWrite)
        .execute("INSERT INTO connections (pid, pid_started, boot_id, tool, opened_at, "
                 "last_seen) VALUES (1, 1, 'another boot', 'ap-exec', 1, 1)");
    const std::string backup = back_up(state);
    const StatePaths copy = elsewhere(state.beside("copy"));
    restore(backup, copy);
    CHECK_EQUAL(Sqlite(copy.database, OpenMode::ReadOnly)
                    .query_integer("SELECT count(*) FROM connections"),
                0);
}

// What a process that was killed in the middle of the exchange leaves: the note, and some
// of the items in place.
void is_finished_by_whoever_opens_the_state_next()
{
    const check::Installation state("a");
    const std::string staging = state.paths().directory + "/.staging";
    const std::string kept = state.paths().directory + "/kept";
    make_directories(staging);
    write_file_atomically(staging + "/one", "new one");
    write_file_atomically(staging + "/two", "new two");
    state.write("one", "old one");
    state.write("two", "old two");
    Swap swap;
    swap.items = {{state.paths().directory + "/one", staging + "/one", false},
                  {state.paths().directory + "/two", staging + "/two", false}};
    swap.directories = {{staging, kept}};
    const std::string note = state.paths().directory + "/.autopack-restore.json";
    // A directory in the way of the last step ends the exchange there.
    make_directories(kept);
    CHECK_THROWS((perform_swap(state.paths(), swap), 0), Error, [](const Error &) {});
    CHECK(path_exists(note));
    remove_tree(kept);
    const State next(state.paths(), State::Access::Write, "test");
    CHECK(!path_exists(note));
    CHECK_EQUAL(state.read("one"), "new one");
    CHECK_EQUAL(state.read("kept/two"), "old two");
}

void keeps_others_out_while_it_is_under_way()
{
    const check::Installation state("a");
    state.write(".autopack-restore.json", "{}");
    const FileLock lock(state.paths().directory, "it");
    CHECK_THROWS(
        State(state.paths(), State::Access::Write, "test"), Error,
        [](const Error &error) { CHECK_EQUAL(error.status(), ExitStatus::TryAgain); });
}

void reads_an_archive_of_the_seed_system()
{
    const check::Installation state("a");
    state.add_run("demo");
    state.query("PRAGMA wal_checkpoint(TRUNCATE)");
    const std::string path = state.beside("seed.tar.gz");
    const Fd file = open_file(path, O_WRONLY | O_CREAT, 0600);
    ArchiveWriter writer(
        [&](std::string_view data) { write_all(file.get(), data, "archive"); },
        Compression::Gzip, 6);
    const auto add = [&](const std::string &name, const std::string &text) {
        ArchiveEntry entry;
        entry.path = "./" + name;
        entry.size = static_cast<int64_t>(text.size());
        writer.begin(entry);
        writer.write(text);
    };
    add("autopack.db", state.read("autopack.db"));
    add("docs/BUILD_HISTORY.md", "of the seed\n");
    add(".autonomous_runs/demo/a.log", "log\n");
    writer.finish();
    const StatePaths copy = elsewhere(state.beside("copy"));
    CHECK_THROWS(restore(path, copy), Error, [](const Error &error) {
        CHECK(std::string_view(error.what()).find("--no-manifest") !=
              std::string_view::npos);
    });
    RestoreInput input;
    input.path = path;
    input.no_manifest = true;
    restore_backup(RestoreSource(input), copy, {});
    CHECK_EQUAL(read_file(copy.directory + "/docs/BUILD_HISTORY.md", 100),
                "of the seed\n");
    CHECK_EQUAL(read_file(copy.runs + "/demo/a.log", 100), "log\n");
}

void plans_without_writing()
{
    const check::Installation state("a");
    state.add_run("demo");
    const std::string backup = back_up(state);
    const StatePaths copy = elsewhere(state.beside("copy"));
    RestoreInput input;
    input.path = backup;
    CHECK(plan_restore(RestoreSource(input), copy, {}).files >= 4);
    CHECK(!path_exists(copy.directory));
}

MergeResult merge(const std::string &path, const StatePaths &paths)
{
    RestoreInput input;
    input.path = path;
    return merge_backup(RestoreSource(input), paths);
}

void merges_the_runs_that_do_not_exist_here()
{
    const check::Installation laptop("laptop");
    laptop.add_run("shared", 1);
    laptop.add_run("from-laptop", 200);
    const check::Installation desktop("desktop");
    desktop.add_run("shared", 5);
    desktop.add_run("from-desktop", 300);
    const MergeResult result = merge(back_up(laptop), desktop.paths());
    CHECK_EQUAL(result.added.size(), 1U);
    CHECK_EQUAL(result.added[0], "from-laptop");
    CHECK_EQUAL(result.present[0], "shared");
    CHECK_EQUAL(desktop.query("SELECT group_concat(run_id || '=' || tokens_used) FROM "
                              "(SELECT * FROM budgets ORDER BY run_id)"),
                "from-desktop=300,from-laptop=200,shared=5");
    CHECK_EQUAL(desktop.query("SELECT count(*) FROM attempts JOIN executors USING "
                              "(executor_id) WHERE attempts.run_id <> executors.run_id"),
                "0");
    CHECK_EQUAL(desktop.query("SELECT count(*) FROM llm_usage_events u JOIN "
                              "budget_reservations r USING (reservation_id) "
                              "WHERE u.run_id = r.run_id"),
                "3");
    CHECK_EQUAL(desktop.read(".autonomous_runs/from-laptop/executor.log"),
                "log of from-laptop\n");
    CHECK_EQUAL(
        desktop.query("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"),
        laptop.query("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"));
    CHECK_EQUAL(merge(back_up(laptop), desktop.paths()).added.size(), 0U);
}

// A state of the schema after the first `steps` migrations, with one run.
StatePaths make_older(const check::Installation &beside, size_t steps)
{
    const StatePaths paths = elsewhere(beside.beside("old-" + std::to_string(steps)));
    make_directories(paths.directory);
    Sqlite database(paths.database, OpenMode::Create);
    database.execute("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON");
    migrate(database, migrations().first(steps));
    database.execute("INSERT INTO runs (run_id, plan, created_at) VALUES ('r', '{}', 5)");
    return paths;
}

void migrates_the_database_of_every_older_schema()
{
    const check::Installation state("a");
    const size_t newest = migrations().size();
    CHECK(newest > 1);
    for (size_t steps = 1; steps < newest; steps++) {
        BackupOptions options;
        options.output = state.beside(std::to_string(steps) + ".tar.zst");
        create_backup(make_older(state, steps), options);
        const StatePaths paths = elsewhere(state.beside("at-" + std::to_string(steps)));
        const RestoreResult result = restore(options.output, paths);
        CHECK_EQUAL(result.schema_from, static_cast<int64_t>(steps));
        CHECK_EQUAL(result.schema_to, static_cast<int64_t>(newest));
        State reopened(paths, State::Access::Read, "test");
        CHECK_EQUAL(reopened.database().query_text("SELECT run_id FROM runs"), "r");
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(brings_back_what_was_backed_up),
        TEST(keeps_what_was_there),
        TEST(keeps_files_that_no_backup_holds),
        TEST(restores_at_another_place),
        TEST(restores_only_what_is_asked_for),
        TEST(puts_an_incremental_backup_together),
        TEST(wants_the_very_base),
        TEST(refuses_while_somebody_has_the_state_open),
        TEST(replaces_a_damaged_database_and_its_log),
        TEST(changes_nothing_for_a_bad_backup),
        TEST(takes_up_what_was_under_way),
        TEST(is_finished_by_whoever_opens_the_state_next),
        TEST(keeps_others_out_while_it_is_under_way),
        TEST(reads_an_archive_of_the_seed_system),
        TEST(plans_without_writing),
        TEST(migrates_the_database_of_every_older_schema),
        TEST(merges_the_runs_that_do_not_exist_here),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
