#include "sys/command.hh"

#include "check.hh"

using namespace ap;

namespace {

CommandResult run(Command command)
{
    return run_command(command);
}

Command shell(const std::string &text)
{
    Command command;
    command.argv = {"sh", "-c", text};
    return command;
}

void keeps_output_and_errors_apart()
{
    const CommandResult result = run(shell("echo out; echo err >&2; exit 3"));
    CHECK_EQUAL(result.output, "out\n");
    CHECK_EQUAL(result.error, "err\n");
    CHECK_EQUAL(result.text(), "exited with status 3");
    CHECK(!result.succeeded());
}

void may_mix_them_in_their_order()
{
    Command command = shell("echo a; echo b >&2; echo c");
    command.merge_error = true;
    CHECK_EQUAL(run(command).output, "a\nb\nc\n");
}

void ends_what_takes_too_long()
{
    Command command = shell("sleep 60 & sleep 60");
    command.timeout = std::chrono::milliseconds(50);
    const CommandResult result = run(command);
    CHECK_EQUAL(result.end, CommandEnd::TimedOut);
    CHECK_EQUAL(result.text(), "timed out");
    CHECK(result.took < std::chrono::seconds(20));
}

void ends_what_is_silent()
{
    Command command = shell("echo begin; sleep 60");
    command.idle_timeout = std::chrono::milliseconds(100);
    const CommandResult result = run(command);
    CHECK_EQUAL(result.end, CommandEnd::Idle);
    CHECK_EQUAL(result.output, "begin\n");
}

void withholds_variables_and_sets_others()
{
    setenv("AP_TEST_SECRET", "s", 1);
    setenv("AP_TEST_OTHER", "old", 1);
    Command command = shell("echo \"<$AP_TEST_SECRET> <$AP_TEST_OTHER>\"");
    command.withheld = {"AP_TEST_SECRET"};
    command.environment = {"AP_TEST_OTHER=new"};
    CHECK_EQUAL(run(command).output, "<> <new>\n");
}

void tells_signals_and_failed_starts()
{
    CHECK_EQUAL(run(shell("kill -9 $$")).text(), "was killed by signal 9");
    Command command;
    command.argv = {"/no/such/program"};
    CHECK_EQUAL(run(command).end, CommandEnd::NotStarted);
}

void sets_directory_and_environment()
{
    Command command = shell("pwd; echo $AP_TEST_VALUE");
    command.directory = "/";
    command.environment = {"AP_TEST_VALUE=7"};
    CHECK_EQUAL(run(command).output, "/\n7\n");
}

void keeps_the_beginning_and_the_end_of_much_output()
{
    Command command =
        shell("echo first; head -c 100000 /dev/zero | tr '\\0' x; echo last");
    command.output_limit = 4000;
    const std::string output = run(command).output;
    CHECK(output.size() < 5000);
    CHECK(output.starts_with("first\n"));
    CHECK(output.ends_with("last\n"));
    CHECK(output.find(" bytes dropped ...]") != std::string::npos);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(keeps_output_and_errors_apart),
        TEST(may_mix_them_in_their_order),
        TEST(ends_what_takes_too_long),
        TEST(ends_what_is_silent),
        TEST(withholds_variables_and_sets_others),
        TEST(tells_signals_and_failed_starts),
        TEST(sets_directory_and_environment),
        TEST(keeps_the_beginning_and_the_end_of_much_output),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
