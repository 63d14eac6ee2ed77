#include "check.hh"
#include "support.hh"

#include "base/error.hh"
#include "cli/listing.hh"
#include "cli/tool.hh"

#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <sys/wait.h>
#include <unistd.h>

using namespace ap;

namespace {

constexpr ToolSpec spec = {.name = "ap-x", .summary = "do x", .options = {}, .most = 9};

struct Outcome
{
    int status;
    std::string out;
    std::string err;
};

using Work = std::function<ExitStatus(const Arguments &)>;

// Runs the tool in a child whose streams go to files, as run_tool owns stdout and stderr.
// `out` is where standard output goes, a file of its own if it is empty.
Outcome run_in_child(std::vector<std::string> words, const Work &work,
                     std::string out = {})
{
    const check::TemporaryDirectory directory;
    const bool own = out.empty();
    if (own) {
        out = directory.file("out");
    }
    const std::string err = directory.file("err");
    static_cast<void>(std::fflush(stdout));
    const pid_t pid = fork();
    if (pid == 0) {
        if (std::freopen(out.c_str(), "w", stdout) == nullptr ||
            std::freopen(err.c_str(), "w", stderr) == nullptr) {
            _exit(99);
        }
        words.insert(words.begin(), "ap-x");
        std::vector<char *> argv;
        for (std::string &word : words) {
            argv.push_back(word.data());
        }
        const int status =
            run_tool(spec, static_cast<int>(argv.size()), argv.data(), work);
        // freopen gave stderr a buffer, which a real tool's does not have.
        static_cast<void>(std::fflush(stderr));
        _exit(status);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
        throw std::runtime_error("the child did not exit");
    }
    return {WEXITSTATUS(status), own ? read_file(out, 65536) : "", read_file(err, 65536)};
}

ExitStatus nothing(const Arguments &)
{
    return ExitStatus::Done;
}

void the_status_of_the_work_is_the_status_of_the_tool()
{
    const Outcome outcome = run_in_child({"a", "b"}, [](const Arguments &arguments) {
        print("got " + std::to_string(arguments.operands().size()) + "\n");
        return ExitStatus::Stopped;
    });
    CHECK_EQUAL(outcome.status, 82);
    CHECK_EQUAL(outcome.out, "got 2\n");
    CHECK_EQUAL(outcome.err, "");
}

ExitStatus list_two(const Arguments &arguments)
{
    Listing listing(arguments.operands().empty(), {"NAME", "SIZE"});
    listing.add(R"({"name":"a"})", {"a", "1"});
    listing.add(R"({"name":"b"})", {"b", "22"});
    listing.finish();
    return ExitStatus::Done;
}

void a_listing_is_json_lines_or_a_table()
{
    CHECK_EQUAL(run_in_child({}, list_two).out, "{\"name\":\"a\"}\n{\"name\":\"b\"}\n");
    CHECK_EQUAL(run_in_child({"table"}, list_two).out,
                "NAME  SIZE\na        1\nb       22\n");
}

void help_and_version_go_to_standard_output()
{
    const Outcome version = run_in_child({"--version"}, nothing);
    CHECK_EQUAL(version.out, "ap-x " AP_VERSION "\n");
    CHECK_EQUAL(version.status, 0);
    const Outcome help = run_in_child({"-h"}, nothing);
    CHECK_EQUAL(help.out, help_text(spec));
    CHECK_EQUAL(help.err, "");
    CHECK_EQUAL(help.status, 0);
}

void wrong_usage_is_status_2_with_a_hint()
{
    const Outcome outcome = run_in_child({"--nope"}, nothing);
    CHECK_EQUAL(outcome.status, 2);
    CHECK_EQUAL(outcome.out, "");
    CHECK_EQUAL(outcome.err, "ap-x: unknown option '--nope'\nap-x: try 'ap-x --help'\n");
}

void an_error_is_one_line_and_its_status()
{
    const Outcome outcome = run_in_child({}, [](const Arguments &) -> ExitStatus {
        print("before\n");
        throw Error(ExitStatus::BudgetExhausted, "no tokens left");
    });
    CHECK_EQUAL(outcome.status, 80);
    CHECK_EQUAL(outcome.out, "before\n");
    CHECK_EQUAL(outcome.err, "ap-x: no tokens left\n");
}

void any_other_exception_is_an_internal_error()
{
    const Outcome outcome = run_in_child(
        {}, [](const Arguments &) -> ExitStatus { throw std::out_of_range("index 7"); });
    CHECK_EQUAL(outcome.status, 70);
    CHECK_EQUAL(outcome.err, "ap-x: internal error: index 7\n");
}

void a_full_disk_is_not_overlooked()
{
    const Outcome outcome = run_in_child(
        {},
        [](const Arguments &) {
            print("small enough to stay in the buffer\n");
            return ExitStatus::Done;
        },
        "/dev/full");
    CHECK_EQUAL(outcome.status, 74);
    CHECK(outcome.err.starts_with("ap-x: cannot write standard output: "));
}

void messages_to_the_journal_have_a_priority()
{
    const Outcome outcome = run_in_child({}, [](const Arguments &) -> ExitStatus {
        setenv("JOURNAL_STREAM", "1:2", 1);
        warn("careful");
        throw Error(ExitStatus::Failed, "broken");
    });
    CHECK_EQUAL(outcome.err, "<4>test_tool: careful\n<3>ap-x: broken\n");
}

void a_file_is_never_coloured()
{
    const check::TemporaryDirectory directory;
    const Fd file = open_file(directory.file("f"), O_WRONLY | O_CREAT);
    CHECK(!use_colour(file.get()));
}

void a_terminal_is_coloured_unless_told_otherwise()
{
    const Fd master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    CHECK(grantpt(master.get()) == 0 && unlockpt(master.get()) == 0);
    const Fd terminal = open_file(ptsname(master.get()), O_RDWR | O_NOCTTY);
    unsetenv("NO_COLOR");
    setenv("TERM", "xterm", 1);
    CHECK(use_colour(terminal.get()));
    setenv("TERM", "dumb", 1);
    CHECK(!use_colour(terminal.get()));
    unsetenv("TERM");
    CHECK(!use_colour(terminal.get()));
    setenv("TERM", "xterm", 1);
    setenv("NO_COLOR", "1", 1);
    CHECK(!use_colour(terminal.get()));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(the_status_of_the_work_is_the_status_of_the_tool),
        TEST(a_listing_is_json_lines_or_a_table),
        TEST(help_and_version_go_to_standard_output),
        TEST(wrong_usage_is_status_2_with_a_hint),
        TEST(an_error_is_one_line_and_its_status),
        TEST(any_other_exception_is_an_internal_error),
        TEST(a_full_disk_is_not_overlooked),
        TEST(messages_to_the_journal_have_a_priority),
        TEST(a_file_is_never_coloured),
        TEST(a_terminal_is_coloured_unless_told_otherwise),
    };
    // The tests decide what the tool sees of the environment.
    unsetenv("JOURNAL_STREAM");
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
