#include "check.hh"
#include "support.hh"

#include "base/text.hh"
#include "domain/agent_template.hh"

#include <sys/stat.h>

using namespace ap;

namespace {

const AgentPlace place_without_directory{"http://127.0.0.1:1", "apk-key", "/nowhere"};

AgentTemplate read(const std::string &text)
{
    return read_agent_template(text, "t.json");
}

void check_refused(const std::string &text, std::string_view expected)
{
    CHECK_THROWS(read(text), Error, [&](const Error &error) {
        CHECK(error.status() == ExitStatus::Config);
        CHECK_EQUAL(std::string_view(error.what()), expected);
    });
}

void puts_arguments_after_the_programs_name()
{
    const AgentTemplate agent =
        read(R"({"program": "codex", "arguments": ["-c", "base=@url@/v1"],
                 "environment_without_arguments": {"HOME_OF": "x"}})");
    PlanCommand command{{"/opt/bin/codex", "exec", "-"}, false};
    AgentTemplate::Strings variables;
    apply_agent_template(agent, place_without_directory, command, variables);
    CHECK_EQUAL(join(command.argv, " "),
                "/opt/bin/codex -c base=http://127.0.0.1:1/v1 exec -");
    CHECK(variables.empty());
}

void leaves_other_commands_alone_and_sets_variables_instead()
{
    const AgentTemplate agent = read(R"({"program": "codex", "arguments": ["-c"],
                 "environment_without_arguments": {"CODEX_HOME": "@directory@/c"}})");
    for (PlanCommand command : {PlanCommand{{"sh", "-c", "codex exec x"}, true},
                                PlanCommand{{"timeout", "9", "codex"}, false}}) {
        const std::vector<std::string> before = command.argv;
        AgentTemplate::Strings variables;
        apply_agent_template(agent, place_without_directory, command, variables);
        CHECK(command.argv == before);
        CHECK_EQUAL(variables.at("CODEX_HOME"), "/nowhere/c");
    }
}

void writes_its_files_for_nobody_else_to_read()
{
    const check::TemporaryDirectory directory;
    const AgentTemplate agent = read(
        R"({"files": {"a/b.toml": ["url = \"@url@\"", "x = 1"], "c": "@directory@"}})");
    PlanCommand command{{"true"}, false};
    AgentTemplate::Strings variables;
    apply_agent_template(agent, {"http://h", "apk-key", directory.file("agent")}, command,
                         variables);
    CHECK_EQUAL(read_file(directory.file("agent/a/b.toml"), 1000),
                "url = \"http://h\"\nx = 1\n");
    CHECK_EQUAL(read_file(directory.file("agent/c"), 1000), directory.file("agent"));
    struct stat status = {};
    CHECK_EQUAL(stat(directory.file("agent/c").c_str(), &status), 0);
    CHECK_EQUAL(status.st_mode & 0777, 0600U);
    CHECK_EQUAL(stat(directory.file("agent/a").c_str(), &status), 0);
    CHECK_EQUAL(status.st_mode & 0777, 0700U);
}

void puts_the_key_into_variables_only()
{
    const AgentTemplate agent = read(R"({"environment": {"TOKEN": "Bearer @key@"}})");
    PlanCommand command{{"true"}, false};
    AgentTemplate::Strings variables;
    apply_agent_template(agent, place_without_directory, command, variables);
    CHECK_EQUAL(variables.at("TOKEN"), "Bearer apk-key");
    check_refused(R"({"arguments": ["--key=@key@"]})",
                  "t.json: arguments: @key@ may stand in the environment only");
    check_refused(R"({"files": {"f": ["key = @key@"]}})",
                  "t.json: files: @key@ may stand in the environment only");
}

void names_what_is_wrong_with_a_template()
{
    check_refused("[]", "t.json: expected an object, got []");
    check_refused(R"({"argument": []})", "t.json: unknown member 'argument'");
    check_refused(R"({"arguments": "-c"})",
                  R"(t.json: arguments: expected an array of strings, got "-c")");
    check_refused(R"({"environment": {"A": 1}})",
                  "t.json: environment/A: expected a string, got 1");
    check_refused(R"({"files": {"../x": ""}})",
                  "t.json: files: expected a relative path without \"..\", got '../x'");
}

void finds_a_persons_own_before_the_installed_one()
{
    const check::TemporaryDirectory directory;
    replace_file(directory.file("mine.json"), R"({"program": "mine"})");
    setenv("AUTOPACK_AGENTS_DIR", directory.path().c_str(), 1);
    CHECK_EQUAL(load_agent_template("mine").program, "mine");
    CHECK_THROWS(load_agent_template("absent"), Error, [&](const Error &error) {
        CHECK(error.status() == ExitStatus::Config);
        const std::string_view what = error.what();
        CHECK(what.find(directory.file("absent.json")) != std::string_view::npos);
    });
    unsetenv("AUTOPACK_AGENTS_DIR");
}

void reads_every_template_that_is_shipped()
{
    const char *source = std::getenv("AP_SOURCE");
    CHECK(source != nullptr);
    setenv("AUTOPACK_AGENTS_DIR", join_path(source, "contrib/agents").c_str(), 1);
    for (const Agent agent : {Agent::Claude, Agent::Codex, Agent::Opencode}) {
        CHECK_EQUAL(load_agent_template(agent_name(agent)).program, agent_name(agent));
    }
    unsetenv("AUTOPACK_AGENTS_DIR");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(puts_arguments_after_the_programs_name),
        TEST(leaves_other_commands_alone_and_sets_variables_instead),
        TEST(writes_its_files_for_nobody_else_to_read),
        TEST(puts_the_key_into_variables_only),
        TEST(names_what_is_wrong_with_a_template),
        TEST(finds_a_persons_own_before_the_installed_one),
        TEST(reads_every_template_that_is_shipped),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
