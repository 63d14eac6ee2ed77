#include "check.hh"

#include "sys/command_queue.hh"

using namespace ap;
using namespace std::chrono_literals;

namespace {

class Fixture
{
public:
    explicit Fixture(std::chrono::milliseconds limit = 1min)
        : queue(loop_, clock_, {"PATH=/usr/bin:/bin"}, limit)
    {
        become_subreaper();
    }

    const CommandRun &end(const std::shared_ptr<const CommandRun> &command)
    {
        for (int i = 0; !command->ended; i++) {
            CHECK(i < 1000);
            queue.check_time();
            loop_.run_once(10ms);
        }
        return *command;
    }

private:
    SystemClock clock_;
    PollLoop loop_;

public:
    CommandQueue queue;
};

void tells_what_a_command_printed_and_how_it_ended()
{
    Fixture fixture;
    const auto command =
        fixture.queue.run({"sh", "-c", "echo out; echo err >&2; exit 3"});
    CHECK_EQUAL(fixture.end(command).output, "out\n");
    CHECK_EQUAL(command->error, "err\n");
    CHECK_EQUAL(command->result.exit_code.value_or(0), 3);
    CHECK(!command->succeeded());
}

void runs_one_after_the_other()
{
    Fixture fixture;
    const auto first = fixture.queue.run({"sh", "-c", "sleep 0.1; echo first"});
    const auto second = fixture.queue.run({"echo", "second"});
    CHECK_EQUAL(fixture.end(second).output, "second\n");
    CHECK(first->succeeded());
    CHECK(fixture.queue.is_idle());
}

void a_program_that_is_not_there_is_told()
{
    Fixture fixture;
    const auto command = fixture.queue.run({"no-such-program"});
    CHECK(fixture.end(command).result.exec_errno != 0);
}

void a_command_that_takes_too_long_is_ended()
{
    Fixture fixture(50ms);
    const auto command = fixture.queue.run({"sleep", "60"});
    CHECK(!fixture.end(command).succeeded());
    CHECK(command->result.told_to_end);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(tells_what_a_command_printed_and_how_it_ended),
        TEST(runs_one_after_the_other),
        TEST(a_program_that_is_not_there_is_told),
        TEST(a_command_that_takes_too_long_is_ended),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
