#include "leased.hh"

#include "domain/capability.hh"
#include "domain/child_environment.hh"

#include <algorithm>
#include <map>

using namespace ap;

namespace {

constexpr const char *provider_variables[] = {
    "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY",     "GROQ_API_KEY",
    "CODEX_API_KEY",     "NO_PROXY",       "OPENAI_BASE_URL",    "NOTIFY_SOCKET",
    "HARMLESS",          "no_proxy",       "AUTOPACK_AGENTS_DIR"};

// What a shell that has keys of its own would hand down.
class Fixture
{
public:
    explicit Fixture(const std::string &members = "")
        : run_(members)
        , lease_(run_.lease())
    {
        for (const char *name : provider_variables) {
            setenv(name, "real", 1);
        }
        setenv("AUTOPACK_AGENTS_DIR",
               join_path(std::getenv("AP_SOURCE"), "contrib/agents").c_str(), 1);
    }
    ~Fixture()
    {
        for (const char *name : provider_variables) {
            unsetenv(name);
        }
    }

    Fixture &with_gateway(const std::string &url = "http://127.0.0.1:4141",
                          const std::string &ca_file = "")
    {
        lease_.gate = {url, "apk-test", ca_file};
        return *this;
    }

    PreparedCommand command() { return prepare_command(lease_, run_.paths(), "/fifo"); }
    PreparedCommand check() { return prepare_check(lease_, run_.paths(), "/fifo", 0); }
    const StatePaths &paths() const { return run_.paths(); }

private:
    check::LeasedRun run_;
    Lease lease_;
};

std::string value(const PreparedCommand &prepared, const std::string &name)
{
    const auto &entries = prepared.environment;
    const auto found = std::find_if(entries.begin(), entries.end(), [&](const auto &e) {
        return e.starts_with(name + "=");
    });
    return found == entries.end() ? "(unset)" : found->substr(name.size() + 1);
}

void without_a_gateway_an_agent_gets_its_own_providers_key_alone()
{
    Fixture fixture(R"(, "agent": "claude")");
    const PreparedCommand prepared = fixture.command();
    CHECK_EQUAL(value(prepared, "ANTHROPIC_API_KEY"), "real");
    CHECK_EQUAL(value(prepared, "OPENAI_API_KEY"), "(unset)");
    CHECK_EQUAL(value(prepared, "GROQ_API_KEY"), "(unset)");
    CHECK_EQUAL(value(prepared, "NOTIFY_SOCKET"), "(unset)");
    CHECK_EQUAL(value(prepared, "HARMLESS"), "real");
    CHECK_EQUAL(value(prepared, "AUTOPACK_USAGE_FIFO"), "/fifo");
}

void without_a_gateway_a_key_is_passed_on_by_name()
{
    Fixture fixture(R"(, "pass_env": ["GROQ_API_KEY"])");
    CHECK_EQUAL(value(fixture.command(), "GROQ_API_KEY"), "real");
    CHECK_EQUAL(value(fixture.command(), "OPENAI_API_KEY"), "(unset)");
}

void a_goal_is_executed_by_the_program_beside_this_with_every_providers_key()
{
    check::LeasedRun run("", R"("goal": "g")");
    const Lease lease = run.lease();
    setenv("GROQ_API_KEY", "real", 1);
    const PreparedCommand prepared = prepare_command(lease, run.paths(), "/fifo");
    unsetenv("GROQ_API_KEY");
    CHECK(prepared.command.argv ==
          std::vector<std::string>{join_path(program_directory(), "ap-build")});
    CHECK_EQUAL(value(prepared, "GROQ_API_KEY"), "real");
    CHECK_EQUAL(value(prepared, "AUTOPACK_PHASE_ID"), "a");
}

void with_a_gateway_every_clients_variables_lead_there()
{
    Fixture fixture;
    const PreparedCommand prepared = fixture.with_gateway().command();
    CHECK_EQUAL(value(prepared, "ANTHROPIC_BASE_URL"), "http://127.0.0.1:4141");
    CHECK_EQUAL(value(prepared, "ANTHROPIC_API_KEY"), "apk-test");
    CHECK_EQUAL(value(prepared, "ANTHROPIC_AUTH_TOKEN"), "apk-test");
    CHECK_EQUAL(value(prepared, "OPENAI_BASE_URL"), "http://127.0.0.1:4141/v1");
    CHECK_EQUAL(value(prepared, "OPENAI_API_KEY"), "apk-test");
    CHECK_EQUAL(value(prepared, "GOOGLE_GEMINI_BASE_URL"), "http://127.0.0.1:4141");
    CHECK_EQUAL(value(prepared, "GEMINI_API_KEY"), "apk-test");
    CHECK_EQUAL(value(prepared, "NO_PROXY"), "real,127.0.0.1,localhost");
}

void with_a_gateway_no_real_key_is_passed_on_whatever_the_plan_says()
{
    Fixture fixture(R"(, "agent": "opencode", "env": {"OPENAI_BASE_URL": "http://x"},
        "pass_env": ["OPENAI_API_KEY", "GROQ_API_KEY", "CODEX_API_KEY"])");
    const PreparedCommand prepared = fixture.with_gateway().command();
    CHECK_EQUAL(value(prepared, "OPENAI_API_KEY"), "apk-test");
    CHECK_EQUAL(value(prepared, "OPENAI_BASE_URL"), "http://127.0.0.1:4141/v1");
    CHECK_EQUAL(value(prepared, "GROQ_API_KEY"), "(unset)");
    CHECK_EQUAL(value(prepared, "CODEX_API_KEY"), "(unset)");
}

void a_check_gets_a_key_only_if_the_phase_says_so()
{
    Fixture fixture(R"(, "check": "true")");
    CHECK_EQUAL(value(fixture.with_gateway().check(), "OPENAI_API_KEY"), "(unset)");
    Fixture all(R"(, "check": "true", "gateway": "all")");
    CHECK_EQUAL(value(all.with_gateway().check(), "OPENAI_API_KEY"), "apk-test");
    CHECK_EQUAL(value(all.with_gateway().command(), "OPENAI_API_KEY"), "apk-test");
}

std::string withheld(const std::string &members)
{
    const std::string plan =
        R"({"run_id": "r", "phases": [{"id": "a", "goal": "g")" + members + "}]}";
    const PhaseSpec phase = parse_plan(plan, "p").tiers[0].phases[0];
    const auto names = withheld_from_checks(phase, {"MY_KEY"});
    std::string text;
    for (const char *name :
         {"MY_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY", "OPENAI_BASE_URL"}) {
        text += std::find(names.begin(), names.end(), name) == names.end() ? "" : name;
        text += " ";
    }
    return text;
}

void the_checks_of_a_goal_get_only_the_keys_that_the_plan_passes_on()
{
    const Fixture fixture;
    CHECK_EQUAL(withheld(""), "MY_KEY ANTHROPIC_API_KEY GROQ_API_KEY  ");
    CHECK_EQUAL(withheld(R"(, "gateway": "all")"),
                "MY_KEY ANTHROPIC_API_KEY GROQ_API_KEY  ");
    CHECK_EQUAL(withheld(R"(, "pass_env": ["GROQ_API_KEY"])"),
                "MY_KEY ANTHROPIC_API_KEY   ");
}

void the_checks_of_a_goal_use_the_gateway_only_if_the_plan_says_so()
{
    const Fixture fixture;
    const std::string key =
        std::string(capability_prefix) + std::string(capability_length - 4, 'a');
    setenv("ANTHROPIC_API_KEY", key.c_str(), 1);
    setenv("MY_KEY", key.c_str(), 1);
    CHECK_EQUAL(withheld(R"(, "pass_env": ["ANTHROPIC_API_KEY"])"),
                "MY_KEY ANTHROPIC_API_KEY GROQ_API_KEY OPENAI_BASE_URL ");
    CHECK_EQUAL(withheld(R"(, "gateway": "all")"), "  GROQ_API_KEY  ");
    unsetenv("MY_KEY");
}

void the_agents_template_points_it_at_the_gateway()
{
    Fixture codex(R"(, "agent": "codex")");
    const PreparedCommand prepared = codex.with_gateway().command();
    CHECK_EQUAL(prepared.command.argv.front(), "true");
    const std::string home =
        codex.paths().attempt_directory("r", "a", 1) + "/agent/codex";
    CHECK_EQUAL(value(prepared, "CODEX_HOME"), home);
    const std::string config = read_file(home + "/config.toml", 10000);
    CHECK(config.find("base_url = \"http://127.0.0.1:4141/v1\"") != std::string::npos);
    CHECK(config.find("apk-test") == std::string::npos);
}

void a_template_that_is_missing_is_named()
{
    Fixture fixture(R"(, "agent_template": "no-such")");
    CHECK_THROWS(fixture.with_gateway().command(), Error, [](const Error &error) {
        CHECK(error.status() == ExitStatus::Config);
        CHECK(std::string_view(error.what()).find("no-such.json") !=
              std::string_view::npos);
    });
}

void a_gateway_with_tls_comes_with_its_certificates()
{
    Fixture fixture;
    const PreparedCommand prepared =
        fixture.with_gateway("https://gate.example:4141", "/shared/ca.pem").command();
    for (const char *name : {"CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
                             "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"}) {
        CHECK_EQUAL(value(prepared, name), "/shared/ca.pem");
    }
    CHECK_EQUAL(value(prepared, "NO_PROXY"), "real,127.0.0.1,localhost,gate.example");
    CHECK_EQUAL(value(prepared, "OPENAI_BASE_URL"), "https://gate.example:4141/v1");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(without_a_gateway_an_agent_gets_its_own_providers_key_alone),
        TEST(without_a_gateway_a_key_is_passed_on_by_name),
        TEST(a_goal_is_executed_by_the_program_beside_this_with_every_providers_key),
        TEST(with_a_gateway_every_clients_variables_lead_there),
        TEST(with_a_gateway_no_real_key_is_passed_on_whatever_the_plan_says),
        TEST(a_check_gets_a_key_only_if_the_phase_says_so),
        TEST(the_checks_of_a_goal_get_only_the_keys_that_the_plan_passes_on),
        TEST(the_checks_of_a_goal_use_the_gateway_only_if_the_plan_says_so),
        TEST(the_agents_template_points_it_at_the_gateway),
        TEST(a_template_that_is_missing_is_named),
        TEST(a_gateway_with_tls_comes_with_its_certificates),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
