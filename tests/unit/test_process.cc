#include "check.hh"
#include "support.hh"

#include "eventually.hh"
#include "sys/process.hh"

#include <algorithm>
#include <csignal>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace ap;
using namespace std::chrono_literals;

namespace {

using Steady = std::chrono::steady_clock;

// A forked child that runs `body`, then sleeps; killed and waited for at the end.
class Child
{
public:
    template <typename Body>
    explicit Child(const Body &body)
        : pid_(fork())
    {
        if (pid_ == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            body();
            while (true) {
                pause();
            }
        }
    }
    ~Child()
    {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    Child(const Child &) = delete;
    Child &operator=(const Child &) = delete;

    pid_t pid() const { return pid_; }

private:
    pid_t pid_;
};

// `script` under sh with `entry` in its environment, waited for.
void run_marked(const std::string &script, const std::string &entry)
{
    std::string environment = entry; // which putenv(3) does not copy
    const pid_t pid = fork();
    if (pid == 0) {
        putenv(environment.data());
        execl("/bin/sh", "sh", "-c", script.c_str(), nullptr);
        _exit(127);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    CHECK_EQUAL(status, 0);
}

// A mark no other process has, whose bearers are killed at the end.
class Mark
{
public:
    ~Mark() { end_processes(processes_with_environment(entry), 0ms); }

    const std::string entry = "AP_TEST_MARK=" + random_token();
};

bool contains(const std::vector<pid_t> &pids, pid_t pid)
{
    return std::find(pids.begin(), pids.end(), pid) != pids.end();
}

pid_t written_pid(const std::string &path)
{
    CHECK(check::eventually(
        [&] { return path_exists(path) && read_file(path, 100).ends_with("\n"); }));
    return std::stoi(read_file(path, 100));
}

void this_process_is_alive()
{
    const auto self = ProcessIdentity::self();
    CHECK_EQUAL(self.pid, getpid());
    CHECK(self.started > 0);
    CHECK_EQUAL(self.boot_id.size(), 36u);
    CHECK(is_alive(self));
}

void a_reused_pid_is_another_process()
{
    auto earlier = ProcessIdentity::self();
    earlier.started--;
    CHECK(!is_alive(earlier));
}

void a_process_of_another_boot_is_dead()
{
    auto elsewhere = ProcessIdentity::self();
    elsewhere.boot_id.back() = elsewhere.boot_id.back() == '0' ? '1' : '0';
    CHECK(!is_alive(elsewhere));
}

void a_zombie_is_dead_but_not_reaped()
{
    const Child child([] { _exit(0); });
    siginfo_t info = {};
    CHECK_EQUAL(waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WNOWAIT),
                0);
    CHECK(!process_start_time(child.pid()));
    CHECK(!contains(children_of(getpid()), child.pid()));
    CHECK(contains(unreaped_children_of(getpid()), child.pid()));
}

// The kernel shows the first thread's state, Z, as that of the process.
void a_process_without_its_first_thread_lives()
{
    const Child child([] {
        std::thread([] {
            while (true) {
                pause();
            }
        }).detach();
        pthread_exit(nullptr);
    });
    const std::string stat = "/proc/" + std::to_string(child.pid()) + "/stat";
    CHECK(check::eventually(
        [&] { return read_file(stat, 4096).find(") Z ") != std::string::npos; }));
    CHECK(process_start_time(child.pid()).has_value());
    CHECK(contains(descendants_of(getpid()), child.pid()));
}

void a_name_of_any_kind_is_no_obstacle()
{
    const Child child([] { prctl(PR_SET_NAME, "a) Z 1 (b\n) "); });
    const std::string comm = "/proc/" + std::to_string(child.pid()) + "/comm";
    CHECK(check::eventually([&] { return read_file(comm, 100).starts_with("a) Z"); }));
    CHECK(process_start_time(child.pid()).has_value());
    CHECK(contains(children_of(getpid()), child.pid()));
}

void descendants_come_after_their_parents()
{
    const check::TemporaryDirectory directory;
    const Child child([&] {
        const Child grandchild([&] {
            write_file_atomically(directory.file("pid"), std::to_string(getpid()) + "\n");
        });
        while (true) {
            pause();
        }
    });
    const pid_t grandchild = written_pid(directory.file("pid"));
    CHECK(contains(children_of(getpid()), child.pid()));
    CHECK(!contains(children_of(getpid()), grandchild));
    const auto all = descendants_of(getpid());
    CHECK_EQUAL(all.size(), 2u);
    CHECK_EQUAL(all[0], child.pid());
    CHECK_EQUAL(all[1], grandchild);
    CHECK(!contains(all, getpid()));
}

void a_forked_away_orphan_is_found_by_its_mark()
{
    const check::TemporaryDirectory directory;
    const Mark mark;
    run_marked("setsid sh -c 'echo $$ > " + directory.file("pid") +
                   "; exec sleep 1000' >/dev/null 2>&1 &",
               mark.entry);
    const pid_t orphan = written_pid(directory.file("pid"));
    const auto found = processes_with_environment(mark.entry);
    CHECK_EQUAL(found.size(), 1u);
    CHECK_EQUAL(found[0], orphan);
}

// One is a child, one an orphan that only the session ties to the marked leader.
void unmarked_descendants_and_session_members_are_found()
{
    const check::TemporaryDirectory directory;
    const Mark mark;
    const std::string unmarked = "env -i PATH=\"$PATH\" sh -c \"echo \\$\\$ > " +
                                 directory.path() + "/%; exec sleep 1000\" & ";
    std::string child = unmarked;
    std::string orphan = "(" + unmarked + ")";
    child.replace(child.find('%'), 1, "child");
    orphan.replace(orphan.find('%'), 1, "orphan");
    run_marked("setsid sh -c '" + child + orphan + "; echo $$ > " +
                   directory.file("leader") + "; wait' >/dev/null 2>&1 &",
               mark.entry);
    const std::vector<pid_t> pids = {written_pid(directory.file("leader")),
                                     written_pid(directory.file("child")),
                                     written_pid(directory.file("orphan"))};
    std::vector<pid_t> found;
    CHECK(check::eventually([&] {
        found = processes_with_environment(mark.entry);
        return found.size() == pids.size(); // the shells between have ended
    }));
    for (const pid_t pid : pids) {
        CHECK(contains(found, pid));
    }
    CHECK(end_processes(found, 0ms)); // the mark alone no longer finds the orphan
}

void the_whole_entry_must_be_equal()
{
    const check::TemporaryDirectory directory;
    const Mark mark;
    run_marked("setsid sh -c 'echo $$ > " + directory.file("pid") +
                   "; exec sleep 1000' >/dev/null 2>&1 &",
               mark.entry);
    written_pid(directory.file("pid"));
    CHECK(
        processes_with_environment(mark.entry.substr(0, mark.entry.size() - 1)).empty());
    CHECK(processes_with_environment(mark.entry + "0").empty());
    CHECK(processes_with_environment(mark.entry.substr(1)).empty());
}

void processes_end_at_term_within_the_grace()
{
    const Child one([] {});
    const Child other([] {});
    const auto start = Steady::now();
    CHECK(end_processes({one.pid(), other.pid()}, 30s));
    CHECK(Steady::now() - start < 10s);
    CHECK(!process_start_time(one.pid()));
    CHECK(!process_start_time(other.pid()));
}

void a_process_that_ignores_term_is_killed_after_the_grace()
{
    signal(SIGTERM, SIG_IGN); // inherited, so that there is no moment without
    const Child stubborn([] {});
    signal(SIGTERM, SIG_DFL);
    const auto start = Steady::now();
    CHECK(end_processes({stubborn.pid()}, 100ms));
    CHECK(Steady::now() - start >= 100ms);
    int status = 0;
    CHECK_EQUAL(waitpid(stubborn.pid(), &status, 0), stubborn.pid());
    CHECK(WIFSIGNALED(status));
    CHECK_EQUAL(WTERMSIG(status), SIGKILL);
}

void a_stopped_process_ends_at_term()
{
    const Child child([] {});
    kill(child.pid(), SIGSTOP);
    int status = 0;
    CHECK_EQUAL(waitpid(child.pid(), &status, WUNTRACED), child.pid());
    CHECK(end_processes({child.pid()}, 30s));
    CHECK_EQUAL(waitpid(child.pid(), &status, 0), child.pid());
    CHECK_EQUAL(WTERMSIG(status), SIGTERM);
}

void processes_already_gone_are_no_error()
{
    pid_t gone = 0;
    {
        const Child child([] {});
        gone = child.pid();
    }
    CHECK(end_processes({gone}, 30s));
    CHECK(end_processes({}, 30s));
}

void the_program_directory_holds_this_program()
{
    CHECK(path_exists(join_path(program_directory(), "test_process")));
}

void tokens_are_random_hexadecimal()
{
    const std::string token = random_token();
    CHECK_EQUAL(token.size(), 64u);
    CHECK(token.find_first_not_of("0123456789abcdef") == std::string::npos);
    CHECK(token != random_token());
}

void one_thread_yields_to_the_others()
{
    const int before = getpriority(PRIO_PROCESS, 0);
    int within = 0;
    std::jthread([&] {
        yield_to_other_threads(3);
        within = getpriority(PRIO_PROCESS, 0);
    }).join();
    const int expected = std::min(before + 3, 19);
    CHECK_EQUAL(within, expected);
    CHECK_EQUAL(getpriority(PRIO_PROCESS, 0), before);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(one_thread_yields_to_the_others),
        TEST(this_process_is_alive),
        TEST(a_reused_pid_is_another_process),
        TEST(a_process_of_another_boot_is_dead),
        TEST(a_zombie_is_dead_but_not_reaped),
        TEST(a_process_without_its_first_thread_lives),
        TEST(a_name_of_any_kind_is_no_obstacle),
        TEST(descendants_come_after_their_parents),
        TEST(a_forked_away_orphan_is_found_by_its_mark),
        TEST(unmarked_descendants_and_session_members_are_found),
        TEST(the_whole_entry_must_be_equal),
        TEST(processes_end_at_term_within_the_grace),
        TEST(a_process_that_ignores_term_is_killed_after_the_grace),
        TEST(a_stopped_process_ends_at_term),
        TEST(processes_already_gone_are_no_error),
        TEST(the_program_directory_holds_this_program),
        TEST(tokens_are_random_hexadecimal),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
