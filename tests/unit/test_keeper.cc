#include "check.hh"
#include "support.hh"

#include "base/text.hh"
#include "eventually.hh"
#include "sys/fifo.hh"
#include "sys/keeper.hh"
#include "sys/process.hh"

#include <csignal>
#include <fcntl.h>
#include <optional>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace ap;
using namespace std::chrono_literals;

namespace {

using Steady = std::chrono::steady_clock;
using Words = std::vector<std::string>;

constexpr const char *headless_option = "--headless";

// A process whose first thread has ended: to /proc it looks like a zombie.
[[noreturn]] void run_headless()
{
    std::thread([] {
        write_all(STDOUT_FILENO, "headless\n", "standard output");
        while (true) {
            pause();
        }
    }).detach();
    pthread_exit(nullptr);
}

// A command whose processes can be found, wherever they forked to, by a mark in their
// environment; what is left of them at the end is killed.
class Kept
{
public:
    explicit Kept(const std::string &script, std::chrono::milliseconds grace = 30s)
        : Kept(Words{"sh", "-c", script}, grace)
    {
    }
    explicit Kept(Words argv, std::chrono::milliseconds grace = 30s)
    {
        command_.argv = std::move(argv);
        command_.environment = {"PATH=/usr/bin:/bin", mark};
        command_.directory = "/";
        command_.standard_error = open_file("/dev/null", O_WRONLY);
        command_.grace = grace;
    }
    ~Kept()
    {
        keeper.reset();
        end_processes(processes_with_environment(mark), 0ms);
    }
    Kept(const Kept &) = delete;
    Kept &operator=(const Kept &) = delete;

    KeptCommand &command() { return command_; }

    Kept &start()
    {
        keeper.emplace();
        start_under(*keeper);
        return *this;
    }

    void start_under(Keeper &other)
    {
        Pipe pipe = make_pipe();
        output_ = std::move(pipe.read);
        command_.standard_output = std::move(pipe.write);
        command_.output_reader = output_.get();
        command_.error_reader = output_.get();
        other.start(std::move(command_));
    }

    // The next line of its output.
    std::string line()
    {
        std::string text;
        char next = 0;
        while (check::becomes_readable(output_.get()) &&
               read_some(output_.get(), &next, 1, "output") == 1 && next != '\n') {
            text += next;
        }
        return text;
    }

    // Its output to the end, which must come although the keeper lives.
    std::string output()
    {
        CHECK(check::becomes_readable(output_.get()));
        return read_all(output_.get(), 1 << 20, "output");
    }

    KeptResult finish()
    {
        CHECK(check::becomes_readable(keeper->fd()));
        const KeptResult result = keeper->finish();
        keeper.reset();
        return result;
    }

    size_t living() const { return processes_with_environment(mark).size(); }

    const std::string mark = "AP_TEST_MARK=" + random_token();
    std::optional<Keeper> keeper;

private:
    KeptCommand command_;
    Fd output_;
};

// Leaves a daemon of two processes behind: double fork, session of its own.
constexpr const char *daemon_script =
    "setsid sh -c '(sleep 1000 & sleep 1000 & echo away; wait) &' ";

// Refuses TERM together with the child it waits for.
constexpr const char *stubborn_script =
    "trap '' TERM; echo ready; while :; do sleep 1000; done";

void the_exit_code_is_reported()
{
    const KeptResult result = Kept("exit 7").start().finish();
    CHECK_EQUAL(result.exit_code.value_or(-1), 7);
    CHECK(!result.signal);
    CHECK_EQUAL(result.exec_errno, 0);
    CHECK(!result.told_to_end);
    CHECK(!result.keeper_lost);
    CHECK(result.max_rss_kib > 0);
}

void the_signal_is_reported()
{
    const KeptResult result = Kept("kill -USR2 $$").start().finish();
    CHECK_EQUAL(result.signal.value_or(0), SIGUSR2);
    CHECK(!result.exit_code);
    CHECK(!result.told_to_end);
}

void processor_time_is_reported()
{
    const KeptResult result =
        Kept("i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done").start().finish();
    CHECK(result.cpu_ms > 0);
    CHECK(result.cpu_ms < 60'000);
}

void check_cannot_start(Kept &&kept, int error)
{
    const KeptResult result = kept.start().finish();
    CHECK_EQUAL(result.exec_errno, error);
    CHECK(!result.keeper_lost);
    CHECK_EQUAL(kept.living(), 0u);
}

void a_missing_program_is_reported()
{
    check_cannot_start(Kept(Words{"no-such-program"}), ENOENT);
    check_cannot_start(Kept(Words{"/no/such/program"}), ENOENT);
}

void a_program_that_may_not_be_executed_is_reported()
{
    const check::TemporaryDirectory directory;
    write_file_atomically(directory.file("plain"), "#!/bin/sh\n", 0600);
    check_cannot_start(Kept(Words{directory.file("plain")}), EACCES);
    Kept found(Words{"plain"});
    found.command().environment = {"PATH=/nowhere:" + directory.path()};
    check_cannot_start(std::move(found), EACCES);
}

void a_missing_directory_is_reported()
{
    Kept kept(Words{"true"});
    kept.command().directory = "/no/such/directory";
    check_cannot_start(std::move(kept), ENOENT);
}

void the_program_is_looked_up_in_the_path_it_is_given()
{
    const check::TemporaryDirectory directory;
    write_file_atomically(directory.file("ls"), "#!/bin/sh\necho mine\n", 0700);
    Kept kept(Words{"ls"});
    kept.command().environment = {"PATH=" + directory.path() + ":/usr/bin:/bin"};
    CHECK_EQUAL(kept.start().output(), "mine\n");
    kept.finish();
}

void directory_environment_and_streams_are_the_commands()
{
    const check::TemporaryDirectory directory;
    Kept kept("pwd; echo \"$WORD\"; cat; echo aside >&2");
    write_file_atomically(directory.file("in"), "from the input\n");
    kept.command().directory = directory.path();
    kept.command().environment.push_back("WORD=two words");
    kept.command().standard_input = open_file(directory.file("in"), O_RDONLY);
    kept.command().standard_error = open_file(directory.file("err"), O_WRONLY | O_CREAT);
    CHECK_EQUAL(kept.start().output(),
                directory.path() + "\ntwo words\nfrom the input\n");
    CHECK_EQUAL(kept.finish().exit_code.value_or(-1), 0);
    CHECK_EQUAL(read_file(directory.file("err"), 100), "aside\n");
}

void without_an_input_it_is_empty()
{
    Kept kept("wc -c");
    CHECK_EQUAL(kept.start().output(), "0\n");
    kept.finish();
}

void the_command_has_no_other_descriptors()
{
    const Fd leaky(fcntl(STDIN_FILENO, F_DUPFD, 100)); // without CLOEXEC
    CHECK(leaky);
    Kept kept(Words{"ls", "/proc/self/fd"});
    CHECK_EQUAL(kept.start().output(), "0\n1\n2\n3\n"); // 3 is the directory it reads
    kept.finish();
}

void the_command_leads_its_own_session_and_group()
{
    Kept kept(Words{"cut", "-d", " ", "-f", "1,5,6,7", "/proc/self/stat"});
    const std::string text = kept.start().output();
    kept.finish();
    const auto fields = split(trim(text), ' ');
    CHECK_EQUAL(fields.size(), 4u);
    CHECK_EQUAL(fields[1], fields[0]);
    CHECK_EQUAL(fields[2], fields[0]);
    CHECK_EQUAL(fields[3], "0"); // no terminal
}

void the_command_has_default_signals()
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    sigset_t blocked{};
    sigset_t before{};
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGHUP);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    Kept kept(Words{"grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"});
    const std::string text = kept.start().output();
    sigset_t after{};
    sigprocmask(SIG_SETMASK, &before, &after);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
    kept.finish();
    CHECK_EQUAL(text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    CHECK_EQUAL(sigismember(&after, SIGHUP), 1); // the caller's mask is as it was
    CHECK_EQUAL(sigismember(&after, SIGTERM), 0);
}

// As under a parent that ignores SIGCHLD: the kernel would reap behind the keeper's back.
void an_inherited_ignored_sigchld_does_no_harm()
{
    signal(SIGCHLD, SIG_IGN);
    Kept kept("exit 3");
    kept.start();
    const bool ended = check::becomes_readable(kept.keeper->fd());
    signal(SIGCHLD, SIG_DFL);
    CHECK(ended);
    CHECK_EQUAL(kept.finish().exit_code.value_or(-1), 3);
}

// An executor that was told by a small limit to have few descriptors.
void a_low_descriptor_limit_is_enough()
{
    Kept kept("ulimit -n");
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    const rlimit low = {64, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &low);
    kept.start();
    setrlimit(RLIMIT_NOFILE, &before);
    CHECK_EQUAL(kept.output(), "64\n");
    CHECK_EQUAL(kept.finish().exit_code.value_or(-1), 0);
}

void the_end_of_the_output_is_seen_while_the_keeper_lives()
{
    Kept kept("exec >/dev/null 2>&1; exec sleep 1000");
    kept.start();
    CHECK_EQUAL(kept.output(), "");
    CHECK(!check::becomes_readable(kept.keeper->fd(), 0ms));
}

void a_daemon_is_ended_with_its_command()
{
    Kept kept(std::string(daemon_script) + "; read wait; exit 5");
    Pipe input = make_pipe();
    kept.command().standard_input = std::move(input.read);
    kept.start();
    CHECK_EQUAL(kept.line(), "away");
    CHECK(kept.living() >= 4u); // the command, the daemon, its two children
    input.write.reset();
    const KeptResult result = kept.finish();
    CHECK_EQUAL(kept.living(), 0u);
    CHECK_EQUAL(result.exit_code.value_or(-1), 5);
    CHECK(!result.told_to_end);
}

void a_stubborn_daemon_is_killed_after_the_grace()
{
    Kept kept("setsid sh -c \"" + std::string(stubborn_script) + "\" & read ready",
              200ms);
    Pipe input = make_pipe();
    kept.command().standard_input = std::move(input.read);
    kept.start();
    CHECK_EQUAL(kept.line(), "ready");
    const auto start = Steady::now();
    input.write.reset();
    const KeptResult result = kept.finish();
    CHECK(Steady::now() - start >= 200ms);
    CHECK_EQUAL(kept.living(), 0u);
    CHECK_EQUAL(result.exit_code.value_or(-1), 1);
}

void a_daemon_without_its_first_thread_is_ended()
{
    Kept kept("\"$0\" " + std::string(headless_option) + " & exec 1>&-; read ready");
    kept.command().argv.push_back(join_path(program_directory(), "test_keeper"));
    Pipe input = make_pipe();
    kept.command().standard_input = std::move(input.read);
    kept.start();
    CHECK_EQUAL(kept.line(), "headless");
    input.write.reset();
    kept.finish(); // would never come
    CHECK_EQUAL(kept.living(), 0u);
}

void terminate_ends_the_whole_tree()
{
    Kept kept(std::string(daemon_script) + "; sleep 1000");
    kept.start();
    CHECK_EQUAL(kept.line(), "away");
    kept.keeper->terminate();
    const KeptResult result = kept.finish();
    CHECK_EQUAL(kept.living(), 0u);
    CHECK(result.told_to_end);
    CHECK_EQUAL(result.signal.value_or(0), SIGTERM);
}

void a_command_may_end_by_itself_at_term()
{
    Kept kept("trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done");
    kept.start();
    CHECK_EQUAL(kept.line(), "ready");
    kept.keeper->terminate();
    const KeptResult result = kept.finish();
    CHECK(result.told_to_end);
    CHECK_EQUAL(result.exit_code.value_or(-1), 9);
}

void a_command_that_ignores_term_is_killed_after_the_grace()
{
    Kept kept(stubborn_script, 200ms);
    kept.start();
    CHECK_EQUAL(kept.line(), "ready");
    const auto start = Steady::now();
    kept.keeper->terminate();
    const KeptResult result = kept.finish();
    CHECK(Steady::now() - start >= 200ms);
    CHECK_EQUAL(kept.living(), 0u);
    CHECK_EQUAL(result.signal.value_or(0), SIGKILL);
}

void a_stopped_command_ends_at_term()
{
    Kept kept("echo $$; kill -STOP $$");
    kept.start();
    const std::string stat = "/proc/" + kept.line() + "/stat";
    CHECK(check::eventually(
        [&] { return read_file(stat, 4096).find(") T ") != std::string::npos; }));
    kept.keeper->terminate();
    CHECK_EQUAL(kept.finish().signal.value_or(0), SIGTERM);
}

void kill_does_not_wait_for_the_grace()
{
    Kept kept(stubborn_script, 1h);
    kept.start();
    CHECK_EQUAL(kept.line(), "ready");
    kept.keeper->kill();
    const KeptResult result = kept.finish();
    CHECK_EQUAL(kept.living(), 0u);
    CHECK(result.told_to_end);
    CHECK_EQUAL(result.signal.value_or(0), SIGKILL);
}

void kill_cuts_the_grace_of_terminate_short()
{
    Kept kept(stubborn_script, 1h);
    kept.start();
    CHECK_EQUAL(kept.line(), "ready");
    kept.keeper->terminate();
    kept.keeper->kill();
    CHECK_EQUAL(kept.finish().signal.value_or(0), SIGKILL);
}

// Sent before the keeper has even run.
void an_order_right_after_the_start_is_not_lost()
{
    for (int i = 0; i < 20; i++) {
        Kept kept("sleep 1000");
        kept.start();
        kept.keeper->terminate();
        CHECK(kept.finish().told_to_end);
        CHECK_EQUAL(kept.living(), 0u);
    }
}

void the_end_of_the_object_ends_the_processes()
{
    Kept kept(std::string(daemon_script) + "; sleep 1000", 1h);
    kept.start();
    CHECK_EQUAL(kept.line(), "away");
    kept.keeper.reset();
    CHECK_EQUAL(kept.living(), 0u);
}

void a_keeper_is_finished_once()
{
    Kept kept("exit 0");
    kept.start();
    CHECK(check::becomes_readable(kept.keeper->fd()));
    kept.keeper->finish();
    CHECK_THROWS(kept.keeper->finish(), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::Bug);
    });
}

void a_moved_keeper_goes_on()
{
    Kept kept("exit 4");
    kept.start();
    Keeper moved = std::move(*kept.keeper);
    kept.keeper.reset();
    CHECK(check::becomes_readable(moved.fd()));
    CHECK_EQUAL(moved.finish().exit_code.value_or(-1), 4);
}

void no_zombie_is_left()
{
    Kept kept(std::string(daemon_script) + "; exit 0");
    kept.start().finish();
    CHECK(unreaped_children_of(getpid()).empty());
}

void two_keepers_do_not_disturb_each_other()
{
    Kept one("echo ready; exec sleep 1000");
    Kept other("exit 6");
    one.start();
    CHECK_EQUAL(one.line(), "ready");
    other.start();
    CHECK_EQUAL(other.finish().exit_code.value_or(-1), 6);
    CHECK_EQUAL(one.living(), 1u);
    one.keeper->terminate();
    CHECK_EQUAL(one.finish().signal.value_or(0), SIGTERM);
}

void what_a_lost_keeper_kept_is_ended()
{
    Kept kept(std::string(daemon_script) + "; " + stubborn_script, 1h);
    kept.start();
    const size_t heard = kept.line().size() + kept.line().size();
    CHECK_EQUAL(heard, std::string_view("awayready").size()); // in either order
    ::kill(kept.keeper->pid(), SIGKILL);
    const KeptResult result = kept.finish();
    CHECK(result.keeper_lost);
    CHECK(!result.exit_code);
    CHECK_EQUAL(kept.living(), 0u);
    CHECK(unreaped_children_of(getpid()).empty());
}

// One has long been running, the other was forked just before.
void a_lost_keeper_leaves_the_other_keepers_alone()
{
    Kept old("echo ready; exec sleep 1000");
    Kept lost("echo ready; exec sleep 1000");
    Kept young("echo ready; read end; exit 8");
    Pipe input = make_pipe();
    young.command().standard_input = std::move(input.read);
    old.start();
    lost.start();
    CHECK_EQUAL(old.line(), "ready");
    CHECK_EQUAL(lost.line(), "ready");
    ::kill(lost.keeper->pid(), SIGKILL);
    CHECK(check::becomes_readable(lost.keeper->fd()));
    young.start();
    CHECK(lost.finish().keeper_lost);
    CHECK_EQUAL(lost.living(), 0u);
    CHECK_EQUAL(old.living(), 1u);
    old.keeper->terminate();
    CHECK_EQUAL(old.finish().signal.value_or(0), SIGTERM);
    CHECK_EQUAL(young.line(), "ready");
    input.write.reset();
    CHECK_EQUAL(young.finish().exit_code.value_or(-1), 8);
}

KeptResult finish(Keeper &keeper)
{
    CHECK(check::becomes_readable(keeper.fd()));
    return keeper.finish();
}

void one_keeper_keeps_one_command_after_another()
{
    Keeper keeper;
    const pid_t pid = keeper.pid();
    for (int code = 0; code < 3; code++) {
        Kept kept("echo \"$0\"; exit $0");
        kept.command().argv.push_back(std::to_string(code));
        kept.start_under(keeper);
        CHECK_EQUAL(kept.line(), std::to_string(code));
        CHECK_EQUAL(finish(keeper).exit_code.value_or(-1), code);
        CHECK_EQUAL(kept.living(), 0u);
    }
    CHECK_EQUAL(keeper.pid(), pid);
}

void a_command_and_environment_of_a_megabyte_get_through()
{
    Kept kept("echo ${#LONG}");
    for (int i = 0; i < 10; i++) {
        kept.command().environment.push_back("V" + std::to_string(i) + "=" +
                                             std::string(100'000, 'v'));
    }
    kept.command().environment.push_back("LONG=" + std::string(73'456, 'l'));
    CHECK_EQUAL(kept.start().output(), "73456\n");
    CHECK_EQUAL(kept.finish().exit_code.value_or(-1), 0);
}

// The executor orders an end while the report is on its way.
void an_order_that_crossed_the_report_does_not_end_the_next_command()
{
    Keeper keeper;
    Kept first("exit 0");
    first.start_under(keeper);
    CHECK(check::becomes_readable(keeper.fd()));
    keeper.terminate();
    keeper.kill();
    keeper.finish();
    Kept second("echo ready; read end; exit 3");
    Pipe input = make_pipe();
    second.command().standard_input = std::move(input.read);
    second.start_under(keeper);
    CHECK_EQUAL(second.line(), "ready");
    input.write.reset();
    const KeptResult result = finish(keeper);
    CHECK(!result.told_to_end);
    CHECK_EQUAL(result.exit_code.value_or(-1), 3);
}

void a_term_between_two_commands_means_nothing()
{
    Keeper keeper;
    ::kill(keeper.pid(), SIGTERM);
    Kept kept("exit 2");
    kept.start_under(keeper);
    const KeptResult result = finish(keeper);
    CHECK(!result.told_to_end);
    CHECK_EQUAL(result.exit_code.value_or(-1), 2);
}

void a_keeper_that_died_between_two_commands_is_replaced()
{
    Keeper keeper;
    Kept first("exit 0");
    first.start_under(keeper);
    finish(keeper);
    const pid_t dead = keeper.pid();
    ::kill(dead, SIGKILL);
    CHECK(check::becomes_readable(keeper.fd()));
    Kept second("exit 5");
    second.start_under(keeper);
    CHECK(keeper.pid() != dead);
    CHECK_EQUAL(finish(keeper).exit_code.value_or(-1), 5);
    CHECK(unreaped_children_of(getpid()) == std::vector<pid_t>{keeper.pid()});
}

void a_keeper_is_used_again_after_it_was_lost()
{
    Keeper keeper;
    Kept lost("sleep 1000");
    lost.start_under(keeper);
    ::kill(keeper.pid(), SIGKILL);
    CHECK(finish(keeper).keeper_lost);
    CHECK_EQUAL(lost.living(), 0u);
    Kept next("exit 6");
    next.start_under(keeper);
    CHECK_EQUAL(finish(keeper).exit_code.value_or(-1), 6);
}

void an_idle_keeper_ends_with_its_object()
{
    pid_t pid = -1;
    {
        const Keeper keeper;
        pid = keeper.pid();
        CHECK(process_start_time(pid).has_value());
    }
    CHECK(!process_start_time(pid).has_value());
    CHECK(unreaped_children_of(getpid()).empty());
}

// The fake executor starts `kept` and then only waits; its keeper's pid comes back.
pid_t fork_executor(Kept &kept, pid_t &executor)
{
    const Pipe pipe = make_pipe();
    executor = fork();
    if (executor == 0) {
        become_subreaper();
        kept.start();
        const pid_t keeper = kept.keeper->pid();
        const std::string ready = kept.line() + kept.line();
        static_cast<void>(!write(pipe.write.get(), &keeper, sizeof keeper));
        while (true) {
            pause();
        }
    }
    pid_t keeper = -1;
    CHECK(check::becomes_readable(pipe.read.get()));
    CHECK_EQUAL(read_some(pipe.read.get(), reinterpret_cast<char *>(&keeper),
                          sizeof keeper, "the executor's pipe"),
                static_cast<ssize_t>(sizeof keeper));
    return keeper;
}

void what_is_left_in_the_fifo_is_spooled()
{
    const check::TemporaryDirectory directory;
    const Fd fifo = open_fifo(directory.file("fifo"));
    Kept kept("echo one > " + directory.file("fifo") + "; (sleep 0.1; echo two > " +
              directory.file("fifo") + ") & wait");
    kept.command().spooled_fifo = fifo.get();
    kept.command().spool = directory.file("spool");
    kept.start().finish();
    CHECK_EQUAL(read_file(directory.file("spool"), 100), "one\ntwo\n");
}

void an_empty_fifo_makes_no_spool()
{
    const check::TemporaryDirectory directory;
    const Fd fifo = open_fifo(directory.file("fifo"));
    Kept kept("exit 3");
    kept.command().spooled_fifo = fifo.get();
    kept.command().spool = directory.file("spool");
    CHECK_EQUAL(kept.start().finish().exit_code.value_or(-1), 3);
    CHECK(!path_exists(directory.file("spool")));
}

void an_idle_keeper_ends_with_its_executor()
{
    const Pipe pipe = make_pipe();
    const pid_t executor = fork();
    if (executor == 0) {
        const Keeper idle;
        const pid_t pid = idle.pid();
        static_cast<void>(!write(pipe.write.get(), &pid, sizeof pid));
        while (true) {
            pause();
        }
    }
    pid_t keeper = -1;
    CHECK_EQUAL(read_some(pipe.read.get(), reinterpret_cast<char *>(&keeper),
                          sizeof keeper, "the executor's pipe"),
                static_cast<ssize_t>(sizeof keeper));
    CHECK(process_start_time(keeper).has_value());
    ::kill(executor, SIGKILL);
    CHECK_EQUAL(waitpid(executor, nullptr, 0), executor);
    CHECK(check::eventually([&] { return !process_start_time(keeper); }));
    CHECK_EQUAL(waitpid(keeper, nullptr, 0), keeper);
}

void the_end_of_the_executor_ends_everything()
{
    Kept kept(std::string(daemon_script) + "; " + stubborn_script, 200ms);
    pid_t executor = -1;
    const pid_t keeper = fork_executor(kept, executor);
    CHECK(kept.living() >= 4u);
    CHECK(process_start_time(keeper).has_value());
    ::kill(executor, SIGKILL);
    CHECK_EQUAL(waitpid(executor, nullptr, 0), executor);
    CHECK(check::eventually([&] { return kept.living() == 0; }));
    CHECK(check::eventually([&] { return !process_start_time(keeper); }));
    // This test process is the next subreaper above.
    CHECK_EQUAL(waitpid(keeper, nullptr, 0), keeper);
}

// What prints while it is being ended, after the executor with the pipe's reading end is
// gone, goes on to its own end: it writes more here than a pipe holds. It waits by short
// sleeps, as a TERM that meets the shell's child before its exec is lost, and makes the
// file by itself, as another child would be sent TERM, too.
void printing_after_the_executors_end_does_no_harm()
{
    const check::TemporaryDirectory directory;
    const std::string done = directory.file("done");
    Kept kept("trap 'i=0; while [ $i -lt 100 ]; do printf %2000s; i=$((i + 1)); done; "
              ": > " +
              done +
              "; exit' TERM; echo ready; echo ready; while :; do sleep 0.05; done");
    pid_t executor = -1;
    const pid_t keeper = fork_executor(kept, executor);
    ::kill(executor, SIGKILL);
    CHECK_EQUAL(waitpid(executor, nullptr, 0), executor);
    CHECK(check::eventually([&] { return !process_start_time(keeper); }));
    CHECK_EQUAL(waitpid(keeper, nullptr, 0), keeper);
    CHECK(path_exists(done));
}

} // namespace

int main(int argc, char **argv)
{
    if (argc == 2 && std::string_view(argv[1]) == headless_option) {
        run_headless();
    }
    become_subreaper();
    const CMUnitTest tests[] = {
        TEST(the_exit_code_is_reported),
        TEST(the_signal_is_reported),
        TEST(processor_time_is_reported),
        TEST(a_missing_program_is_reported),
        TEST(a_program_that_may_not_be_executed_is_reported),
        TEST(a_missing_directory_is_reported),
        TEST(the_program_is_looked_up_in_the_path_it_is_given),
        TEST(directory_environment_and_streams_are_the_commands),
        TEST(without_an_input_it_is_empty),
        TEST(the_command_has_no_other_descriptors),
        TEST(the_command_leads_its_own_session_and_group),
        TEST(the_command_has_default_signals),
        TEST(an_inherited_ignored_sigchld_does_no_harm),
        TEST(a_low_descriptor_limit_is_enough),
        TEST(the_end_of_the_output_is_seen_while_the_keeper_lives),
        TEST(a_daemon_is_ended_with_its_command),
        TEST(a_stubborn_daemon_is_killed_after_the_grace),
        TEST(a_daemon_without_its_first_thread_is_ended),
        TEST(terminate_ends_the_whole_tree),
        TEST(a_command_may_end_by_itself_at_term),
        TEST(a_command_that_ignores_term_is_killed_after_the_grace),
        TEST(a_stopped_command_ends_at_term),
        TEST(kill_does_not_wait_for_the_grace),
        TEST(kill_cuts_the_grace_of_terminate_short),
        TEST(an_order_right_after_the_start_is_not_lost),
        TEST(the_end_of_the_object_ends_the_processes),
        TEST(a_keeper_is_finished_once),
        TEST(a_moved_keeper_goes_on),
        TEST(no_zombie_is_left),
        TEST(two_keepers_do_not_disturb_each_other),
        TEST(what_a_lost_keeper_kept_is_ended),
        TEST(a_lost_keeper_leaves_the_other_keepers_alone),
        TEST(one_keeper_keeps_one_command_after_another),
        TEST(a_command_and_environment_of_a_megabyte_get_through),
        TEST(an_order_that_crossed_the_report_does_not_end_the_next_command),
        TEST(a_term_between_two_commands_means_nothing),
        TEST(a_keeper_that_died_between_two_commands_is_replaced),
        TEST(a_keeper_is_used_again_after_it_was_lost),
        TEST(an_idle_keeper_ends_with_its_object),
        TEST(what_is_left_in_the_fifo_is_spooled),
        TEST(an_empty_fifo_makes_no_spool),
        TEST(an_idle_keeper_ends_with_its_executor),
        TEST(the_end_of_the_executor_ends_everything),
        TEST(printing_after_the_executors_end_does_no_harm),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
