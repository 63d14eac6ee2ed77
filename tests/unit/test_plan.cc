#include "check.hh"

#include "domain/build_spec.hh"
#include "domain/plan.hh"
#include "domain/plan_positions.hh"
#include "domain/plan_reader.hh"
#include "sys/path.hh"

#include <algorithm>
#include <cstdlib>
#include <set>

using namespace ap;
using namespace std::chrono_literals;

namespace {

std::string source_file(std::string_view name)
{
    const char *root = std::getenv("AP_SOURCE");
    return join_path(root == nullptr ? "." : root, name);
}

// A plan of one tier with `phases`, the elements of its array, on one line each.
std::string plan_of(const std::string &phases)
{
    return "{\"run_id\": \"r\", \"phases\": [\n" + phases + "\n]}";
}

std::string phase_with(const std::string &members)
{
    return plan_of("{\"id\": \"a\", \"command\": \"true\", " + members + "}");
}

PhaseSpec first_phase(const std::string &text)
{
    return parse_plan(text, "p").tiers.at(0).phases.at(0);
}

std::string complaint(const std::string &text)
{
    try {
        static_cast<void>(parse_plan(text, "plan.json"));
    } catch (const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
        return error.what();
    }
    return "none";
}

void check_member_fault(const std::string &member, const std::string &message)
{
    CHECK_EQUAL(complaint(phase_with(member)), "plan.json:2: /phases/0/" + message);
}

void reads_a_small_plan_with_its_defaults()
{
    const Plan plan =
        parse_plan(plan_of("{\"id\": \"a\", \"command\": \"echo hi\"}"), "p");
    CHECK_EQUAL(plan.run_id, "r");
    CHECK_EQUAL(plan.tiers.size(), 1u);
    CHECK_EQUAL(plan.tiers[0].id, "main");
    const PhaseSpec &phase = plan.tiers[0].phases.at(0);
    CHECK_EQUAL(phase.name, "a");
    CHECK_EQUAL(phase.type, "implementation");
    CHECK((phase.command.argv == std::vector<std::string>{"sh", "-c", "echo hi"}));
    CHECK(phase.command.is_shell);
    CHECK(phase.agent == Agent::None);
    CHECK(phase.timeout == 1h);
    CHECK(!phase.idle_timeout);
    CHECK(phase.grace == 5s);
    CHECK_EQUAL(phase.max_attempts, 1);
    CHECK_EQUAL(phase.max_interruptions, 25);
    CHECK(phase.backoff.first == 1s);
    CHECK(!phase.token_cap);
}

void reads_every_member_of_a_phase()
{
    const Plan plan = parse_plan(
        read_file(source_file("contrib/examples/agents.json"), longest_plan), "agents");
    CHECK_EQUAL(plan.token_cap.value_or(0), 2'000'000);
    CHECK_EQUAL(plan.cost_cap_microusd.value_or(0), 25'500'000);
    CHECK_EQUAL(plan.tiers.size(), 2u);
    const PhaseSpec &survey = plan.tiers[0].phases.at(0);
    CHECK(survey.agent == Agent::Claude);
    CHECK_EQUAL(survey.breaker, "anthropic");
    CHECK(survey.idle_timeout == std::optional<std::chrono::milliseconds>(5min));
    CHECK(survey.backoff.longest == 10min);
    CHECK(survey.stdin_text && !survey.stdin_file);
    const PhaseSpec &build = plan.tiers[1].phases.at(0);
    CHECK_EQUAL(build.checks.size(), 2u);
    CHECK_EQUAL(build.checks[0].argv.back(), "make test");
    CHECK_EQUAL(build.checks[1].argv.size(), 3u);
    CHECK_EQUAL(build.stdin_file.value_or(""), "NOTES.md");
    CHECK_EQUAL(build.env.at("LC_ALL"), "C.UTF-8");
    CHECK(build.idle_timeout == std::optional<std::chrono::milliseconds>(300s));
    CHECK_EQUAL(build.cost_cap_microusd.value_or(0), 10'000'000);
}

void takes_an_array_of_strings_as_one_check()
{
    const PhaseSpec one = first_phase(phase_with("\"check\": [\"make\", \"test\"]"));
    CHECK_EQUAL(one.checks.size(), 1u);
    CHECK_EQUAL(one.checks[0].argv.size(), 2u);
    const PhaseSpec two = first_phase(phase_with("\"check\": [[\"make\"], \"test\"]"));
    CHECK_EQUAL(two.checks.size(), 2u);
    CHECK_EQUAL(two.checks[1].argv.back(), "test");
    CHECK_EQUAL(first_phase(phase_with("\"check\": \"x\"")).checks.size(), 1u);
}

void writes_phases_that_read_back_the_same()
{
    for (const char *name : {"agents.json", "simple.json"}) {
        const std::string file = source_file(std::string("contrib/examples/") + name);
        const Plan plan = parse_plan(read_file(file, longest_plan), name);
        for (const TierSpec &tier : plan.tiers) {
            for (const PhaseSpec &phase : tier.phases) {
                const std::string text = phase_spec_to_json(phase).dump();
                const PhaseSpec again = phase_spec_from_json(text);
                CHECK_EQUAL(phase_spec_to_json(again).dump(), text);
                CHECK(again.command.argv == phase.command.argv);
                CHECK(again.command.is_shell == phase.command.is_shell);
                CHECK(again.env == phase.env && again.pass_env == phase.pass_env);
                CHECK(again.idle_timeout == phase.idle_timeout);
                CHECK(again.token_cap == phase.token_cap);
                CHECK(again.cost_cap_microusd == phase.cost_cap_microusd);
                CHECK(again.stdin_text == phase.stdin_text);
                CHECK(again.stdin_file == phase.stdin_file);
                CHECK_EQUAL(again.checks.size(), phase.checks.size());
            }
        }
    }
}

void keeps_several_shell_checks_apart_when_written()
{
    PhaseSpec phase = first_phase(phase_with("\"timeout\": 0.25"));
    phase.checks = {{{"sh", "-c", "one"}, true}, {{"sh", "-c", "two words"}, true}};
    const PhaseSpec again = phase_spec_from_json(phase_spec_to_json(phase).dump());
    CHECK_EQUAL(again.checks.size(), 2u);
    CHECK(again.checks[1].argv == phase.checks[1].argv);
    CHECK(again.checks[1].is_shell);
    CHECK(again.timeout == 250ms);
}

void refuses_a_stored_phase_that_is_damaged()
{
    CHECK_THROWS(phase_spec_from_json("{\"id\": \"p7\", \"command\": 3}"), Error,
                 [](const Error &error) {
                     CHECK(std::string(error.what()).find("'p7'") != std::string::npos);
                 });
    CHECK_THROWS(phase_spec_from_json("{"), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
    });
}

void reports_all_faults_in_the_order_of_the_text()
{
    const std::string text = R"({
  "goal": 7,
  "tiers": [
    {"id": "one", "phases": [
      {"id": "a", "command": "true",
       "timeout": "soon"},
      {"id": "a/b", "comand": "true"}
    ]},
    {"id": "one", "phases": [
      {"id": "c", "command": [],
       "depends_on": ["a", "x"]}
    ]}
  ],
  "run_id": "-"
})";
    const std::string identifier =
        "expected 1 to 128 letters, digits, '.', '_' and '-', starting with a letter or "
        "digit, got ";
    CHECK_EQUAL(
        complaint(text),
        "plan.json:2: /goal: expected a string, got 7\n"
        "plan.json:6: /tiers/0/phases/0/timeout: expected a duration such as \"90s\", "
        "got \"soon\"\n"
        "plan.json:7: /tiers/0/phases/1: expected a member \"command\", got none\n"
        "plan.json:7: /tiers/0/phases/1/id: " +
            identifier +
            "\"a/b\"\n"
            "plan.json:7: /tiers/0/phases/1/comand: unknown member \"comand\"; did you "
            "mean "
            "\"command\"?\n"
            "plan.json:9: /tiers/1/id: expected an id of its own, got \"one\" again\n"
            "plan.json:10: /tiers/1/phases/0/command: expected a command, got an empty "
            "array\n"
            "plan.json:11: /tiers/1/phases/0/depends_on/1: expected the id of a phase, "
            "got "
            "\"x\"; did you mean \"a\"?\n"
            "plan.json:14: /run_id: " +
            identifier + "\"-\"");
}

void names_member_expected_and_got()
{
    check_member_fault("\"timeout\": 0", "timeout: expected a duration of at least 1ms, "
                                         "got 0");
    check_member_fault("\"timeout\": -1",
                       "timeout: expected a duration such as \"90s\", got -1");
    check_member_fault("\"max_attempts\": 101",
                       "max_attempts: expected a whole number from 1 to 100, got 101");
    check_member_fault("\"max_attempts\": 1.5",
                       "max_attempts: expected a whole number from 1 to 100, got 1.5");
    check_member_fault("\"token_cap\": \"1\"", "token_cap: expected a whole number from "
                                               "0 to 1000000000000, got \"1\"");
    check_member_fault("\"agent\": \"clod\"",
                       "agent: expected none, claude, codex, opencode or custom, got "
                       "\"clod\"");
    check_member_fault("\"outputs\": [\"ok\", \"a/../../b\"]",
                       "outputs/1: expected a relative path without \"..\", got "
                       "\"a/../../b\"");
    check_member_fault("\"outputs\": [\"/etc/passwd\"]",
                       "outputs/0: expected a relative path without \"..\", got "
                       "\"/etc/passwd\"");
    check_member_fault("\"env\": {\"A\": 1}", "env/A: expected a string, got 1");
    check_member_fault("\"env\": {\"A=\": \"\"}",
                       "env/A=: expected a variable name without '=', got \"A=\"");
    check_member_fault("\"env\": {\"AUTOPACK_RUN_ID\": \"x\"}",
                       "env/AUTOPACK_RUN_ID: expected a variable that ap-exec does not "
                       "set itself, got AUTOPACK_RUN_ID");
    check_member_fault("\"stdin\": {\"path\": \"x\"}",
                       "stdin: expected a member \"file\", got none\n"
                       "plan.json:2: /phases/0/stdin/path: unknown member \"path\"");
    check_member_fault("\"check\": [\"a\", 3]",
                       "check/1: expected a shell command or an array of its words, got "
                       "3");
    check_member_fault("\"name\": \"a\\nb\"",
                       "name: expected one line of 1 to 200 bytes, got \"a\\x0ab\"");
    check_member_fault("\"backoff\": {\"first\": \"2m\", \"longest\": \"1m\"}",
                       "backoff/longest: expected a duration of at least 2m00s, got "
                       "\"1m\"");
    check_member_fault("\"backoff\": {\"jitter\": 2}",
                       "backoff/jitter: expected a number from 0.0 to 1.0, got 2");
    check_member_fault("\"breaker\": null", "breaker: expected a string, got null");
}

void raises_the_longest_wait_to_the_first()
{
    const PhaseSpec phase = first_phase(phase_with("\"backoff\": {\"first\": \"5m\"}"));
    CHECK(phase.backoff.longest == 5min);
}

void finds_circles_and_prints_their_path()
{
    const std::string text =
        plan_of("{\"id\": \"a\", \"command\": \"true\", \"depends_on\": [\"c\"]},\n"
                "{\"id\": \"b\", \"command\": \"true\", \"depends_on\": [\"a\"]},\n"
                "{\"id\": \"c\", \"command\": \"true\", \"depends_on\": [\"b\"]},\n"
                "{\"id\": \"d\", \"command\": \"true\", \"depends_on\": [\"d\"]}");
    CHECK_EQUAL(complaint(text),
                "plan.json:3: /phases/1/depends_on/0: expected no circle of "
                "dependencies, got a -> c -> b -> a\n"
                "plan.json:5: /phases/3/depends_on/0: expected no circle of "
                "dependencies, got d -> d");
}

void allows_dependencies_on_earlier_tiers_only()
{
    const std::string text = R"({"run_id": "r", "tiers": [
{"id": "t1", "phases": [{"id": "a", "command": "true", "depends_on": ["b"]}]},
{"id": "t2", "phases": [{"id": "b", "command": "true", "depends_on": ["a", "a"]}]}]})";
    CHECK_EQUAL(complaint(text),
                "plan.json:2: /tiers/0/phases/0/depends_on/0: expected a phase of this "
                "or an earlier tier, got \"b\" of a later one");
}

void needs_phases_or_tiers_and_some_of_them()
{
    CHECK_EQUAL(complaint("{\"run_id\": \"r\"}"),
                "plan.json:1: expected a member \"tiers\" or \"phases\", got none");
    CHECK_EQUAL(complaint("{\"run_id\": \"r\", \"phases\": []}"),
                "plan.json:1: /phases: expected at least one element, got an empty "
                "array");
    CHECK_EQUAL(complaint("[]"), "plan.json:1: expected an object, got an array");
    CHECK(complaint("{\"run_id\": \"r\",\n \"tiers\": [{\"id\": \"t\", \"phases\": []}], "
                    "\"phases\": []}")
              .find("/phases: expected \"tiers\" or \"phases\", got both") !=
          std::string::npos);
}

void refuses_the_same_phase_id_in_two_tiers()
{
    const std::string text = R"({"run_id": "r", "tiers": [
{"id": "t1", "phases": [{"id": "a", "command": "true"}]},
{"id": "t2", "phases": [{"id": "a", "command": "true"}]}]})";
    CHECK_EQUAL(complaint(text), "plan.json:3: /tiers/1/phases/0/id: expected an id of "
                                 "its own, got \"a\" as at /tiers/0/phases/0");
}

void takes_the_run_id_from_outside()
{
    const std::string text = "{\"phases\": [{\"id\": \"a\", \"command\": \"true\"}]}";
    CHECK_EQUAL(parse_plan(text, "p", "given").run_id, "given");
    CHECK_EQUAL(complaint(text), "plan.json:1: expected a member \"run_id\", got none");
    CHECK_EQUAL(parse_plan(phase_with("\"cwd\": \"..\""), "p", "given").run_id, "given");
    CHECK_THROWS(parse_plan(text, "p", "a b"), Error, [](const Error &) {});
}

void refuses_what_is_not_json_or_too_long()
{
    CHECK(complaint("{\n\"run_id\": }").find("plan.json: line 2") == 0);
    CHECK(complaint(phase_with("\"cwd\": \"a\\u0000b\"")) != "none");
    CHECK(complaint(phase_with("\"cwd\": \"a\", \"cwd\": \"b\"")) != "none");
    CHECK(complaint(std::string(longest_plan + 1, ' ')).find("16 MiB") !=
          std::string::npos);
}

void finds_lines_behind_escapes_and_strings()
{
    const std::string text =
        "{\"a\\u0062\": [\"]}\\\"\", {\"x/y~\":\n 1}],\r\n\"z\":\n2}";
    std::unordered_map<std::string, TextPosition> wanted{
        {"", {}}, {"/ab/1", {}}, {"/ab/1/x~1y~0", {}}, {"/z", {}}, {"/none", {0, 77}}};
    locate_pointers(text, wanted);
    CHECK_EQUAL(wanted.at("").line, 1);
    CHECK_EQUAL(wanted.at("/ab/1/x~1y~0").line, 1);
    CHECK_EQUAL(wanted.at("/ab/1/x~1y~0").offset, text.find("\"x/y"));
    CHECK_EQUAL(wanted.at("/z").line, 3);
    CHECK_EQUAL(wanted.at("/none").line, 77);
}

void survives_deep_nesting_and_long_chains()
{
    const std::string deep(1500, '[');
    CHECK(complaint(phase_with("\"x\": " + deep + std::string(1500, ']')))
              .find("unknown member \"x\"") != std::string::npos);
    std::string chain;
    for (int i = 0; i < 20'000; i++) {
        chain += (i == 0 ? "{\"id\": \"p" : ",{\"id\": \"p") + std::to_string(i) +
                 "\", \"command\": \"true\", \"depends_on\": [\"p" +
                 std::to_string((i + 1) % 20'000) + "\"]}";
    }
    const std::string fault = complaint(plan_of(chain));
    CHECK(fault.find("p19 -> ... -> p0") != std::string::npos);
}

void check_schema_members(const Json &properties,
                          std::span<const std::string_view> members)
{
    const std::vector<std::string> keys = properties.keys();
    const std::set<std::string> in_schema(keys.begin(), keys.end());
    const std::set<std::string> in_parser(members.begin(), members.end());
    for (const std::string &name : in_parser) {
        if (!in_schema.contains(name)) {
            throw std::logic_error("not in the schema: " + name);
        }
    }
    CHECK_EQUAL(in_schema.size(), in_parser.size());
}

void agrees_with_the_json_schema()
{
    const Json schema = Json::parse(
        read_file(source_file("docs/plan.schema.json"), longest_plan), "schema");
    const Json definitions = schema.get("$defs");
    const Json phase = definitions.get("phase").get("properties");
    check_schema_members(schema.get("properties"), plan_members());
    check_schema_members(definitions.get("tier").get("properties"), tier_members());
    check_schema_members(phase, phase_members());
    check_schema_members(phase.get("backoff").get("properties"), backoff_members());
    check_schema_members(phase.get("stdin").get("oneOf").at(1).get("properties"),
                         stdin_members());
    check_schema_members(phase.get("slurm").get("properties"), slurm_members());
    check_schema_members(phase.get("models").get("properties"), models_members());
    const Json agents = phase.get("agent").get("enum");
    CHECK_EQUAL(agents.size(), agent_names().size());
    for (size_t i = 0; i < agents.size(); i++) {
        CHECK_EQUAL(agents.at(i).as_string(), agent_names()[i]);
    }
}

void reads_the_launcher_and_what_is_asked_of_slurm()
{
    CHECK(!first_phase(phase_with("\"cwd\": \"\"")).launcher.has_value());
    const PhaseSpec phase = first_phase(phase_with(
        R"("launcher": "slurm", "slurm": {"partition": "gpu", "cpus": 8, "mem": "4G"})"));
    const PhaseSpec again = phase_spec_from_json(phase_spec_to_json(phase).dump());
    for (const PhaseSpec &each : {phase, again}) {
        CHECK(each.launcher == LauncherKind::Slurm);
        CHECK_EQUAL(each.slurm.partition, "gpu");
        CHECK_EQUAL(each.slurm.mem, "4G");
        CHECK_EQUAL(each.slurm.cpus.value_or(0), 8);
    }
    check_member_fault(R"("launcher": "moon")",
                       "launcher: expected local or slurm, got \"moon\"");
    check_member_fault(R"("slurm": {"gpus": 1})",
                       "slurm/gpus: unknown member \"gpus\"; did you mean "
                       "\"cpus\"?");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(reads_a_small_plan_with_its_defaults),
        TEST(reads_every_member_of_a_phase),
        TEST(takes_an_array_of_strings_as_one_check),
        TEST(writes_phases_that_read_back_the_same),
        TEST(keeps_several_shell_checks_apart_when_written),
        TEST(refuses_a_stored_phase_that_is_damaged),
        TEST(reports_all_faults_in_the_order_of_the_text),
        TEST(names_member_expected_and_got),
        TEST(raises_the_longest_wait_to_the_first),
        TEST(finds_circles_and_prints_their_path),
        TEST(allows_dependencies_on_earlier_tiers_only),
        TEST(needs_phases_or_tiers_and_some_of_them),
        TEST(refuses_the_same_phase_id_in_two_tiers),
        TEST(takes_the_run_id_from_outside),
        TEST(refuses_what_is_not_json_or_too_long),
        TEST(finds_lines_behind_escapes_and_strings),
        TEST(survives_deep_nesting_and_long_chains),
        TEST(agrees_with_the_json_schema),
        TEST(reads_the_launcher_and_what_is_asked_of_slurm),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
