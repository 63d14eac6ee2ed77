#include "check.hh"
#include "support.hh"

#include "domain/state.hh"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace ap;

namespace {

class Environment
{
public:
    Environment(const char *name, const char *value)
        : name_(name)
    {
        if (value == nullptr) {
            unsetenv(name);
        } else {
            setenv(name, value, 1);
        }
    }
    ~Environment() { unsetenv(name_); }
    Environment(const Environment &) = delete;
    Environment &operator=(const Environment &) = delete;

private:
    const char *name_;
};

void expect_error(const StatePaths &paths, State::Access access, ExitStatus status,
                  const std::string &text)
{
    CHECK_THROWS(State(paths, access, "test"), Error, [&](const Error &error) {
        CHECK_EQUAL(error.status(), status);
        if (std::string(error.what()).find(text) == std::string::npos) {
            check::fail_at(__FILE__, __LINE__, error.what());
        }
    });
}

void takes_the_path_from_option_then_environment()
{
    const Environment database("AUTOPACK_DB", "/env/x.db");
    const Environment runs("AUTOPACK_RUNS_DIR", nullptr);
    CHECK_EQUAL(state_paths("/opt/./y.db").database, "/opt/y.db");
    const StatePaths paths = state_paths(std::nullopt);
    CHECK_EQUAL(paths.database, "/env/x.db");
    CHECK_EQUAL(paths.directory, "/env");
    CHECK_EQUAL(paths.runs, "/env/.autonomous_runs");
    CHECK_EQUAL(paths.run_directory("r"), "/env/.autonomous_runs/r");
    CHECK_EQUAL(paths.attempt_directory("r", "p", 2),
                "/env/.autonomous_runs/r/phases/p/attempt-2");
}

void takes_the_runs_directory_from_the_environment()
{
    const Environment runs("AUTOPACK_RUNS_DIR", "/elsewhere");
    CHECK_EQUAL(state_paths("/opt/y.db").runs, "/elsewhere");
}

void refuses_an_empty_path()
{
    CHECK_THROWS(state_paths(""), UsageError, [](const UsageError &) {});
}

void wants_init_before_use()
{
    const check::TemporaryDirectory directory;
    expect_error(paths_in(directory), State::Access::Write, ExitStatus::NoInput,
                 "run 'ap-db init'");
    expect_error(paths_in(directory), State::Access::Read, ExitStatus::NoInput,
                 "run 'ap-db init'");
    CHECK(!path_exists(directory.file("autopack.db")));
}

void creates_a_durable_database()
{
    const check::TemporaryDirectory directory;
    State state(paths_in(directory), State::Access::Create, "test");
    Sqlite &database = state.database();
    CHECK_EQUAL(schema_version(database), migrations().back().version);
    CHECK_EQUAL(database.query_text("PRAGMA journal_mode"), "wal");
    CHECK_EQUAL(database.query_integer("PRAGMA synchronous"), 2);
    CHECK_EQUAL(database.query_integer("PRAGMA foreign_keys"), 1);
    CHECK_EQUAL(database.query_integer("PRAGMA journal_size_limit"), 64 << 20);
}

void goes_back_to_the_log_mode_after_a_restored_snapshot()
{
    const check::TemporaryDirectory directory;
    const StatePaths paths = paths_in(directory);
    {
        State state(paths, State::Access::Create, "test");
        state.database().copy_to(directory.file("copy.db"));
    }
    CHECK(rename(directory.file("copy.db").c_str(), paths.database.c_str()) == 0);
    State state(paths, State::Access::Write, "test");
    CHECK_EQUAL(state.database().query_text("PRAGMA journal_mode"), "wal");
}

void is_listed_as_long_as_it_lives()
{
    const check::TemporaryDirectory directory;
    const StatePaths paths = paths_in(directory);
    State first(paths, State::Access::Create, "first");
    {
        State second(paths, State::Access::Read, "second");
        CHECK_EQUAL(first.database().query_text(
                        "SELECT group_concat(application_name || pid, ' ') "
                        "FROM (SELECT * FROM pg_stat_activity ORDER BY connection_id)"),
                    "first" + std::to_string(getpid()) + " second" +
                        std::to_string(getpid()));
    }
    CHECK_EQUAL(first.database().query_text("SELECT tool FROM connections"), "first");
}

void tells_when_it_was_last_seen()
{
    const check::TemporaryDirectory directory;
    State state(paths_in(directory), State::Access::Create, "test");
    state.database().execute("UPDATE connections SET last_seen = 5");
    state.touch();
    CHECK(state.database().query_integer("SELECT last_seen FROM connections") > 5);
}

void refuses_other_schema_versions()
{
    const check::TemporaryDirectory directory;
    const StatePaths paths = paths_in(directory);
    {
        State state(paths, State::Access::Create, "test");
        state.database().execute("PRAGMA user_version = 999");
    }
    expect_error(paths, State::Access::Write, ExitStatus::Config, "use a newer program");
    expect_error(paths, State::Access::Read, ExitStatus::Config, "use a newer program");
    expect_error(paths, State::Access::Create, ExitStatus::Config, "use a newer program");
    open_database(paths, State::Access::Write).execute("PRAGMA user_version = 0");
    expect_error(paths, State::Access::Write, ExitStatus::Config, "run 'ap-db migrate'");
    CHECK_EQUAL(open_database(paths, State::Access::Write)
                    .query_integer("SELECT count(*) FROM connections"),
                0);
}

void refuses_what_is_no_database()
{
    const check::TemporaryDirectory directory;
    write_file_atomically(directory.file("autopack.db"), std::string(5000, 'x'));
    expect_error(paths_in(directory), State::Access::Read, ExitStatus::BadData,
                 "not a database");
    expect_error(paths_in(directory), State::Access::Write, ExitStatus::BadData,
                 "not a database");
}

// Runs `work` in a child as a user whom file modes bind, root or not.
template <typename Work>
void as_common_user(const Work &work)
{
    constexpr uid_t nobody = 65534;
    const pid_t child = fork();
    if (child == 0) {
        int status = 1;
        try {
            if (getuid() != 0 || setresuid(nobody, nobody, nobody) == 0) {
                work();
                status = 0;
            }
        } catch (const std::exception &error) {
            std::fprintf(stderr, "%s\n", error.what());
        }
        _exit(status);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK_EQUAL(WEXITSTATUS(status), 0);
}

void reads_a_file_that_it_may_not_write()
{
    const check::TemporaryDirectory directory;
    const StatePaths paths = paths_in(directory);
    State writer(paths, State::Access::Create, "writer");
    for (const char *name : {"autopack.db", "autopack.db-wal", "autopack.db-shm"}) {
        CHECK(chmod(directory.file(name).c_str(), 0444) == 0);
    }
    CHECK(chmod(directory.path().c_str(), 0755) == 0);
    as_common_user([&] {
        expect_error(paths, State::Access::Write, ExitStatus::NoPermission,
                     "cannot write");
        State reader(paths, State::Access::Read, "reader");
        CHECK_EQUAL(reader.database().query_text("SELECT group_concat(tool) FROM "
                                                 "connections"),
                    "writer");
        reader.touch();
    });
}

void says_why_a_file_cannot_be_read()
{
    const check::TemporaryDirectory directory;
    const StatePaths paths = paths_in(directory);
    {
        State writer(paths, State::Access::Create, "writer");
    }
    CHECK(chmod(paths.database.c_str(), 0444) == 0);
    CHECK(chmod(directory.path().c_str(), 0555) == 0);
    as_common_user([&] {
        expect_error(paths, State::Access::Read, ExitStatus::NoPermission,
                     "its directory cannot be written");
    });
    CHECK(chmod(directory.path().c_str(), 0700) == 0);
}

void appends_events()
{
    check::TemporaryDatabase temporary;
    append_event(temporary.get(), "a.kind");
    append_event(temporary.get(), "b.kind", "r", "p", 3, "{\"x\":1}");
    CHECK_EQUAL(temporary.get().query_text(
                    "SELECT group_concat(kind || ':' || coalesce(run_id, '-') || "
                    "coalesce(phase_id, '-') || coalesce(attempt, '-') || detail, ' ') "
                    "FROM (SELECT * FROM events ORDER BY event_id)"),
                "a.kind:---{} b.kind:rp3{\"x\":1}");
}

void refuses_the_database_of_another_machine()
{
    const check::TemporaryDirectory directory;
    const StatePaths paths = check::paths_in(directory);
    State(paths, State::Access::Create, "test");
    const Environment remote("AUTOPACK_REMOTE_STATE", "1");
    expect_error(paths, State::Access::Write, ExitStatus::Unavailable,
                 "belongs to another machine");
    expect_error(paths, State::Access::Read, ExitStatus::Unavailable,
                 "AUTOPACK_USAGE_FIFO");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(takes_the_path_from_option_then_environment),
        TEST(takes_the_runs_directory_from_the_environment),
        TEST(refuses_an_empty_path),
        TEST(wants_init_before_use),
        TEST(creates_a_durable_database),
        TEST(goes_back_to_the_log_mode_after_a_restored_snapshot),
        TEST(is_listed_as_long_as_it_lives),
        TEST(tells_when_it_was_last_seen),
        TEST(refuses_other_schema_versions),
        TEST(refuses_what_is_no_database),
        TEST(reads_a_file_that_it_may_not_write),
        TEST(says_why_a_file_cannot_be_read),
        TEST(appends_events),
        TEST(refuses_the_database_of_another_machine),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
