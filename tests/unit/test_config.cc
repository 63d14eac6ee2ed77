#include "check.hh"
#include "domain/config.hh"
#include "support.hh"

#include <cstdlib>

using namespace ap;

namespace {

constexpr const char *variables[] = {
    "AUTOPACK_CONFIG",          "AUTOPACK_JOBS",
    "AUTOPACK_LAUNCHER",        "AUTOPACK_OUTPUT_LIMIT",
    "AUTOPACK_PHASE_TOKEN_CAP", "AUTOPACK_PHASE_TOKEN_MULTIPLIERS",
    "AUTOPACK_RUN_TOKEN_CAP",
};

void set_environment(const char *name, const char *value)
{
    CHECK_EQUAL(value == nullptr ? unsetenv(name) : setenv(name, value, 1), 0);
}

// A directory with a configuration file, and none of our variables set.
class Installation
{
public:
    explicit Installation(std::string_view text)
        : Installation()
    {
        write("autopack.conf", text);
    }
    Installation()
    {
        for (const char *name : variables) {
            set_environment(name, nullptr);
        }
    }

    void write(std::string_view name, std::string_view text) const
    {
        write_file_atomically(directory_.file(name), text);
    }
    std::string file(std::string_view name) const { return directory_.file(name); }
    Config load() const
    {
        return load_config(
            {directory_.file("autopack.db"), directory_.file("runs"), directory_.path()});
    }
    std::string refusal() const
    {
        try {
            load();
        } catch (const Error &error) {
            CHECK_EQUAL(error.status(), ExitStatus::Config);
            return error.what();
        }
        return "nothing was refused";
    }

private:
    check::TemporaryDirectory directory_;
};

void has_defaults_without_a_file()
{
    const Config config = Installation().load();
    CHECK_EQUAL(config.jobs, 1);
    CHECK_EQUAL(config.output_limit, 16 << 20);
    CHECK_EQUAL(config.token_caps.run, 5'000'000);
    CHECK(!config.token_caps.run_is_set);
    CHECK_EQUAL(config.token_caps.phase_cap("research"), 750'000);
    CHECK_EQUAL(config.token_caps.phase_cap("implementation"), 500'000);
    CHECK_EQUAL(config.token_caps.phase_cap("verification"), 250'000);
    CHECK_EQUAL(config.token_caps.phase_cap("audit"), 150'000);
}

void reads_the_file_beside_the_database()
{
    const Config config = Installation("# how much\n"
                                       "\n"
                                       "AUTOPACK_JOBS=3\n"
                                       "  AUTOPACK_OUTPUT_LIMIT = 4096  \r\n"
                                       "AUTOPACK_RUN_TOKEN_CAP=7")
                              .load();
    CHECK_EQUAL(config.jobs, 3);
    CHECK_EQUAL(config.output_limit, 4096);
    CHECK_EQUAL(config.token_caps.run, 7);
    CHECK(config.token_caps.run_is_set);
}

void reads_caps_from_the_environment()
{
    const Installation installation;
    set_environment("AUTOPACK_PHASE_TOKEN_CAP", "1000");
    set_environment("AUTOPACK_PHASE_TOKEN_MULTIPLIERS", "audit:0.29, docs:2");
    set_environment("AUTOPACK_RUN_TOKEN_CAP", "10000000");
    const TokenCaps caps = installation.load().token_caps;
    CHECK_EQUAL(caps.run, 10'000'000);
    CHECK(caps.run_is_set);
    CHECK_EQUAL(caps.phase_cap("research"), 1500);
    CHECK_EQUAL(caps.phase_cap("audit"), 290);
    CHECK_EQUAL(caps.phase_cap("docs"), 2000);
    CHECK_EQUAL(caps.phase_cap("unheard-of"), 1000);
}

void the_environment_goes_before_the_file()
{
    const Installation installation("AUTOPACK_JOBS=3\n"
                                    "AUTOPACK_OUTPUT_LIMIT=5000\n"
                                    "AUTOPACK_PHASE_TOKEN_MULTIPLIERS=research:9\n");
    set_environment("AUTOPACK_JOBS", "4");
    set_environment("AUTOPACK_PHASE_TOKEN_MULTIPLIERS", "audit:1");
    const Config config = installation.load();
    CHECK_EQUAL(config.jobs, 4);
    CHECK_EQUAL(config.output_limit, 5000);
    CHECK_EQUAL(config.token_caps.phase_cap("audit"), 500'000);
    CHECK_EQUAL(config.token_caps.phase_cap("research"), 750'000);
}

void reads_the_file_that_is_named()
{
    const Installation installation("AUTOPACK_JOBS=3\n");
    installation.write("other.conf", "AUTOPACK_JOBS=5\n");
    set_environment("AUTOPACK_CONFIG", installation.file("other.conf").c_str());
    CHECK_EQUAL(installation.load().jobs, 5);
    set_environment("AUTOPACK_CONFIG", "");
    CHECK_EQUAL(installation.load().jobs, 3);
}

void refuses_a_named_file_that_is_not_there()
{
    const Installation installation;
    const std::string path = installation.file("none.conf");
    set_environment("AUTOPACK_CONFIG", path.c_str());
    CHECK(installation.refusal().find("'" + path + "'") != std::string::npos);
}

void names_file_and_line_of_a_fault()
{
    const auto check_refused = [](std::string_view line, std::string_view why) {
        const Installation installation("AUTOPACK_JOBS=1\n" + std::string(line) + "\n");
        CHECK_EQUAL(installation.refusal(),
                    installation.file("autopack.conf") + ":2: " + std::string(why));
    };
    check_refused("AUTOPACK_OUTPUT_LIMIT=4095",
                  "AUTOPACK_OUTPUT_LIMIT: expected a whole number from 4096 to "
                  "1099511627776, got '4095'");
    check_refused("AUTOPACK_JOBS=2", "AUTOPACK_JOBS is set twice");
    check_refused("AUTOPACK_JOB=2",
                  "unknown setting 'AUTOPACK_JOB'; did you mean 'AUTOPACK_JOBS'?");
    check_refused("PATH=/bin", "unknown setting 'PATH'");
    check_refused("jobs", "expected NAME=VALUE, got 'jobs'");
    check_refused("AUTOPACK_PHASE_TOKEN_CAP=\"5\"",
                  "AUTOPACK_PHASE_TOKEN_CAP: expected a whole number from 0 to "
                  "1000000000000, got '\"5\"'");
}

void refuses_a_fault_that_the_environment_overrides()
{
    const Installation installation("AUTOPACK_JOBS=0\n");
    set_environment("AUTOPACK_JOBS", "2");
    CHECK(installation.refusal().find(":1: AUTOPACK_JOBS: expected") !=
          std::string::npos);
}

void refuses_malformed_variables()
{
    const auto check_refused = [](const char *name, const char *value) {
        const Installation installation;
        set_environment(name, value);
        CHECK_EQUAL(installation.refusal().find(std::string(name) + ": expected "), 0U);
        set_environment(name, nullptr);
    };
    for (const char *value : {"", "5k", "-1", " 5", "1e6", "99999999999999999999"}) {
        check_refused("AUTOPACK_RUN_TOKEN_CAP", value);
        check_refused("AUTOPACK_PHASE_TOKEN_CAP", value);
        check_refused("AUTOPACK_OUTPUT_LIMIT", value);
        check_refused("AUTOPACK_JOBS", value);
    }
    check_refused("AUTOPACK_JOBS", "1025");
    for (const char *value : {"", "audit", "audit:", "audit:x", "audit:-1", ":1",
                              "audit:1,", "audit:1,audit:2", "audit:1001"}) {
        check_refused("AUTOPACK_PHASE_TOKEN_MULTIPLIERS", value);
    }
}

void takes_the_launcher_by_its_name()
{
    CHECK_EQUAL(Installation().load().launcher, LauncherKind::Local);
    CHECK_EQUAL(Installation("AUTOPACK_LAUNCHER=slurm").load().launcher,
                LauncherKind::Slurm);
    const std::string refusal = Installation("AUTOPACK_LAUNCHER=moon").refusal();
    CHECK(refusal.ends_with("AUTOPACK_LAUNCHER: expected local or slurm, got 'moon'"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(has_defaults_without_a_file),
        TEST(reads_the_file_beside_the_database),
        TEST(reads_caps_from_the_environment),
        TEST(the_environment_goes_before_the_file),
        TEST(reads_the_file_that_is_named),
        TEST(refuses_a_named_file_that_is_not_there),
        TEST(names_file_and_line_of_a_fault),
        TEST(refuses_a_fault_that_the_environment_overrides),
        TEST(refuses_malformed_variables),
        TEST(takes_the_launcher_by_its_name),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
