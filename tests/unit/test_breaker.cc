#include "check.hh"
#include "domain/breaker.hh"
#include "domain/breaker_config.hh"
#include "domain/breaker_rules.hh"
#include "support.hh"
#include "sys/fd.hh"

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;
using ap::Breaker;
using ap::BreakerChange;
using ap::BreakerResult;
using ap::BreakerState;

constexpr ap::UnixMs start = 1'800'000'000'000;

BreakerChange fail_call(Breaker &breaker, ap::WindowSums window = {},
                        ap::UnixMs now = start)
{
    return ap::note_result(breaker, {.failed = true, .reason = "broken"}, false, window,
                           now);
}

Breaker half_open()
{
    Breaker breaker;
    ap::make_open(breaker, "test", 0, start);
    ap::make_half_open(breaker);
    return breaker;
}

// The pure rules.

void consecutive_failures_open_it()
{
    Breaker breaker;
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(fail_call(breaker), BreakerChange::Counted);
    }
    CHECK_EQUAL(fail_call(breaker), BreakerChange::Opened);
    CHECK_EQUAL(breaker.state, BreakerState::Open);
    CHECK_EQUAL(*breaker.reason, "5 failures in a row; the last: broken");
    CHECK_EQUAL(*breaker.opened_at, start);
    CHECK_EQUAL(*breaker.retry_at, start + 60'000);
}

void a_success_between_starts_the_count_again()
{
    Breaker breaker;
    for (int i = 0; i < 4; i++) {
        fail_call(breaker);
    }
    CHECK_EQUAL(ap::note_result(breaker, {}, false, {}, start), BreakerChange::Counted);
    CHECK_EQUAL(fail_call(breaker), BreakerChange::Counted);
    CHECK_EQUAL(breaker.failure_count, 1);
    CHECK_EQUAL(breaker.state, BreakerState::Closed);
}

void a_threshold_of_nought_never_opens_it()
{
    Breaker breaker;
    breaker.config.failure_threshold = 0;
    for (int i = 0; i < 100; i++) {
        CHECK_EQUAL(fail_call(breaker), BreakerChange::Counted);
    }
}

void a_rate_counts_from_the_minimum_of_calls_on()
{
    Breaker breaker;
    breaker.config.failure_threshold = 0;
    breaker.config.window_calls = 20;
    CHECK_EQUAL(fail_call(breaker, {9, 9, 0}), BreakerChange::Counted);
    CHECK_EQUAL(fail_call(breaker, {10, 4, 0}), BreakerChange::Counted);
    CHECK_EQUAL(fail_call(breaker, {10, 5, 0}), BreakerChange::Opened);
    CHECK_EQUAL(*breaker.reason, "5 of the last 10 calls failed; the last: broken");
}

void a_window_smaller_than_the_minimum_is_enough_when_full()
{
    Breaker breaker;
    breaker.config.failure_threshold = 0;
    breaker.config.window_calls = 4;
    CHECK_EQUAL(fail_call(breaker, {3, 3, 0}), BreakerChange::Counted);
    CHECK_EQUAL(fail_call(breaker, {4, 4, 0}), BreakerChange::Opened);
}

void slow_calls_open_it_though_they_succeed()
{
    Breaker breaker;
    breaker.config.window_ms = 10'000;
    breaker.config.slow_ms = 500;
    breaker.config.slow_rate = 0.8;
    CHECK(ap::is_slow(breaker.config, {.duration_ms = 500}));
    CHECK(!ap::is_slow(breaker.config, {.duration_ms = 499}));
    CHECK(ap::is_slow(breaker.config, {.duration_ms = 100, .slow_ms = 100}));
    CHECK_EQUAL(ap::note_result(breaker, {}, false, {10, 0, 7}, start),
                BreakerChange::Counted);
    CHECK_EQUAL(ap::note_result(breaker, {}, false, {10, 0, 8}, start),
                BreakerChange::Opened);
    CHECK_EQUAL(*breaker.reason, "8 of the last 10 calls were slow");
}

void calls_that_are_not_slow_do_not_open_it()
{
    Breaker breaker;
    breaker.config.window_calls = 10;
    CHECK_EQUAL(ap::note_result(breaker, {}, false, {10, 0, 0}, start),
                BreakerChange::Counted);
}

void successful_probes_close_it()
{
    Breaker breaker = half_open();
    CHECK_EQUAL(ap::note_result(breaker, {.probe_id = 1}, true, {}, start),
                BreakerChange::Counted);
    CHECK_EQUAL(ap::note_result(breaker, {.probe_id = 2}, true, {}, start),
                BreakerChange::Closed);
    CHECK_EQUAL(breaker.state, BreakerState::Closed);
    CHECK_EQUAL(breaker.times_opened, 0);
    CHECK(!breaker.reason && !breaker.opened_at && !breaker.retry_at);
}

void a_half_open_one_ignores_what_is_no_probe()
{
    Breaker breaker = half_open();
    CHECK_EQUAL(ap::note_result(breaker, {}, false, {}, start), BreakerChange::Nothing);
    CHECK_EQUAL(ap::note_result(breaker, {.probe_id = 9}, false, {}, start),
                BreakerChange::Nothing);
    CHECK_EQUAL(fail_call(breaker), BreakerChange::Nothing);
    CHECK_EQUAL(breaker.success_count, 0);
}

void an_open_one_ignores_late_results()
{
    Breaker breaker;
    ap::make_open(breaker, "test", 0, start);
    CHECK_EQUAL(ap::note_result(breaker, {}, false, {}, start), BreakerChange::Nothing);
    CHECK_EQUAL(fail_call(breaker), BreakerChange::Nothing);
    CHECK_EQUAL(*breaker.retry_at, start + 60'000);
}

void each_failed_probe_opens_it_for_longer_up_to_a_limit()
{
    Breaker breaker;
    ap::make_open(breaker, "test", 0, start);
    const int64_t waits[] = {120'000, 240'000, 480'000, 600'000, 600'000};
    for (const int64_t wait : waits) {
        ap::make_half_open(breaker);
        CHECK_EQUAL(
            ap::note_result(breaker, {.failed = true, .probe_id = 1}, true, {}, start),
            BreakerChange::Opened);
        CHECK_EQUAL(*breaker.retry_at - start, wait);
    }
    CHECK_EQUAL(breaker.times_opened, 6);
}

void the_service_can_ask_for_more_time()
{
    Breaker breaker;
    ap::make_open(breaker, "test", 3600'000, start);
    CHECK_EQUAL(*breaker.retry_at, start + 3600'000);
    CHECK(!ap::permit_without_probe(breaker, start + 1'000'000)->allowed);
    ap::make_closed(breaker);
    ap::make_open(breaker, "test", 1, start);
    CHECK_EQUAL(*breaker.retry_at, start + 60'000);
}

void a_wait_that_a_clock_set_back_made_endless_is_over()
{
    Breaker breaker;
    ap::make_open(breaker, "test", 0, start);
    CHECK(!ap::permit_without_probe(breaker, start + 59'999)->allowed);
    CHECK(!ap::permit_without_probe(breaker, start + 60'000));
    // A little back is waited for; further than the longest wait is not.
    CHECK(!ap::permit_without_probe(breaker, start - 540'000)->allowed);
    CHECK(!ap::permit_without_probe(breaker, start - 540'001));
}

void a_forced_open_one_names_no_time_and_a_disabled_one_lets_all_pass()
{
    Breaker breaker;
    ap::make_forced_open(breaker, "maintenance", start);
    const auto forced = ap::permit_without_probe(breaker, start + 86'400'000);
    CHECK(!forced->allowed && !forced->retry_at);
    ap::make_disabled(breaker);
    CHECK(ap::permit_without_probe(breaker, start)->allowed);
    CHECK_EQUAL(fail_call(breaker), BreakerChange::Nothing);
}

void a_long_reason_is_cut_between_characters()
{
    Breaker breaker;
    std::string reason(999, 'x');
    ap::make_open(breaker, reason + "\xc3\xa4\xc3\xa4", 0, start);
    CHECK_EQUAL(*breaker.reason, reason);
}

// The breakers of a database.

struct Fixture
{
    check::TemporaryDatabase database{};
    check::ManualClock clock{};
    ap::Breakers breakers{database.get(), clock};

    void trip(std::string_view name)
    {
        for (int i = 0; i < 5; i++) {
            breakers.failure(name, "broken");
        }
    }

    int64_t count(const std::string &from)
    {
        return database.get().query_integer("SELECT count(*) FROM " + from);
    }

    std::string transitions()
    {
        return database.get().query_text(
            "SELECT coalesce(group_concat(json_extract(detail, '$.from') || '>' || "
            "json_extract(detail, '$.to'), ' '), '') FROM (SELECT detail FROM events "
            "WHERE kind = 'breaker.state' ORDER BY event_id)");
    }
};

void a_name_never_used_is_closed_and_leaves_no_row()
{
    Fixture f;
    CHECK(f.breakers.allow("new").allowed);
    f.breakers.success("new");
    CHECK_EQUAL(f.count("circuit_breakers"), 0);
    CHECK_THROWS(f.breakers.show("new"), ap::Error, [](const ap::Error &error) {
        CHECK_EQUAL(error.status(), ap::ExitStatus::NoInput);
    });
    CHECK_EQUAL(f.breakers.reset("new"), 0);
    CHECK_EQUAL(f.breakers.reset(""), 0);
}

void allow_of_a_closed_one_writes_nothing()
{
    Fixture f;
    f.breakers.failure("api", "once");
    // A second connection that holds the write lock would hold up any writer.
    ap::Sqlite other(f.database.get().path(), ap::OpenMode::ReadWrite);
    const ap::Transaction lock(other);
    const int64_t changes = f.database.get().query_integer("SELECT total_changes()");
    CHECK(f.breakers.allow("api").allowed);
    CHECK_EQUAL(f.database.get().query_integer("SELECT total_changes()"), changes);
}

void every_transition_is_an_event()
{
    Fixture f;
    f.trip("api");
    f.clock.advance(60s);
    const auto failed = f.breakers.allow("api");
    f.breakers.failure("api", "again", 0, failed.probe_id);
    f.clock.advance(120s);
    for (int i = 0; i < 2; i++) {
        f.breakers.success("api", 0, f.breakers.allow("api").probe_id);
    }
    f.breakers.force_open("api", "maintenance");
    f.breakers.disable("api");
    f.breakers.close("api");
    CHECK_EQUAL(f.transitions(),
                "closed>open open>half_open half_open>open open>half_open "
                "half_open>closed closed>forced_open forced_open>disabled "
                "disabled>closed");
    f.breakers.force_open("other", "never used before");
    CHECK(f.transitions().ends_with("disabled>closed closed>forced_open"));
}

void joins_the_callers_transaction()
{
    Fixture f;
    {
        const ap::Transaction transaction(f.database.get());
        f.trip("api");
        CHECK_EQUAL(f.breakers.show("api").state, BreakerState::Open);
    }
    CHECK_EQUAL(f.count("circuit_breakers"), 0);
}

void an_open_one_tells_when_to_retry()
{
    Fixture f;
    f.trip("api");
    const auto permit = f.breakers.allow("api");
    CHECK(!permit.allowed && !permit.probe_id);
    CHECK_EQUAL(*permit.retry_at, f.clock.now() + 60'000);
    f.breakers.success("api"); // of a call from before
    f.breakers.failure("api", "late");
    CHECK_EQUAL(f.breakers.show("api").failure_count, 5);
}

void probes_are_limited_and_come_back()
{
    Fixture f;
    ap::BreakerConfig config;
    config.half_open_probes = 2;
    f.breakers.configure("api", config);
    f.trip("api");
    f.clock.advance(60s);
    const auto first = f.breakers.allow("api");
    const auto second = f.breakers.allow("api");
    CHECK(first.probe_id && second.probe_id && *first.probe_id != *second.probe_id);
    const auto third = f.breakers.allow("api");
    CHECK(!third.allowed && third.retry_at);
    CHECK_EQUAL(f.breakers.show("api").probes, 2);
    f.breakers.cancel("api", first.probe_id);
    CHECK_EQUAL(f.breakers.show("api").success_count, 0);
    CHECK(f.breakers.allow("api").allowed);
}

void an_expired_probe_frees_its_place_but_its_result_counts()
{
    Fixture f;
    f.trip("api");
    f.clock.advance(60s);
    const auto slow = f.breakers.allow("api");
    f.clock.advance(30s - 1ms);
    CHECK(!f.breakers.allow("api").allowed);
    f.clock.advance(1ms);
    CHECK_EQUAL(f.breakers.show("api").state, BreakerState::HalfOpen);
    const auto next = f.breakers.allow("api");
    CHECK(next.allowed);
    f.breakers.success("api", 0, slow.probe_id);
    CHECK_EQUAL(f.breakers.show("api").success_count, 1);
    f.breakers.success("api", 0, slow.probe_id); // not twice
    CHECK_EQUAL(f.breakers.show("api").success_count, 1);
    f.breakers.success("api", 0, next.probe_id);
    CHECK_EQUAL(f.breakers.show("api").state, BreakerState::Closed);
}

void expired_probes_do_not_pile_up()
{
    Fixture f;
    f.trip("api");
    f.clock.advance(60s);
    for (int i = 0; i < 200; i++) {
        CHECK(f.breakers.allow("api", ap::ProbeHolder::Nobody).allowed);
        f.clock.advance(30s);
    }
    CHECK(f.count("circuit_breaker_probes") <= 66);
}

void a_probe_of_an_earlier_half_open_period_is_nothing_now()
{
    Fixture f;
    f.trip("api");
    f.clock.advance(60s);
    const auto old = f.breakers.allow("api", ap::ProbeHolder::Nobody);
    f.breakers.force_open("api", "test");
    f.breakers.close("api");
    f.trip("api");
    f.clock.advance(60s);
    f.breakers.allow("api");
    f.breakers.failure("api", "late", 0, old.probe_id);
    CHECK_EQUAL(f.breakers.show("api").state, BreakerState::HalfOpen);
}

void the_window_by_calls_holds_the_last_ones_only()
{
    Fixture f;
    ap::BreakerConfig config;
    config.failure_threshold = 0;
    config.window_calls = 4;
    config.failure_rate = 0.75;
    f.breakers.configure("api", config);
    for (int i = 0; i < 20; i++) {
        f.breakers.failure("api", "odd");
        f.breakers.success("api");
    }
    CHECK_EQUAL(f.count("circuit_breaker_calls"), 4);
    f.breakers.failure("api", "three");
    CHECK_EQUAL(f.breakers.show("api").state, BreakerState::Closed);
    f.breakers.failure("api", "of four");
    CHECK_EQUAL(f.breakers.show("api").state, BreakerState::Open);
    CHECK_EQUAL(f.count("circuit_breaker_calls"), 0);
}

void the_window_by_time_forgets_and_is_bounded()
{
    Fixture f;
    ap::BreakerConfig config;
    config.failure_threshold = 0;
    config.window_ms = 10'000;
    config.failure_rate = 0.9;
    f.breakers.configure("api", config);
    for (int i = 0; i < 9; i++) {
        f.breakers.failure("api", "old");
    }
    f.clock.advance(10s);
    f.breakers.failure("api", "alone in the window");
    CHECK_EQUAL(f.breakers.show("api").state, BreakerState::Closed);
    for (int64_t i = 0; i < ap::most_window_calls + 10; i++) {
        f.breakers.success("api");
    }
    CHECK_EQUAL(f.count("circuit_breaker_calls"), ap::most_window_calls);
}

void calls_noted_before_the_clock_was_set_back_do_not_count()
{
    Fixture f;
    ap::BreakerConfig config;
    config.failure_threshold = 0;
    config.window_ms = 10'000;
    f.breakers.configure("api", config);
    for (int i = 0; i < 9; i++) {
        f.breakers.failure("api", "before");
    }
    f.clock.advance(-1h);
    f.breakers.failure("api", "after");
    CHECK_EQUAL(f.breakers.show("api").state, BreakerState::Closed);
}

void another_window_starts_empty()
{
    Fixture f;
    ap::BreakerConfig config;
    config.failure_threshold = 0;
    config.window_calls = 100;
    f.breakers.configure("api", config);
    f.breakers.failure("api", "one");
    config.failure_rate = 0.7;
    f.breakers.configure("api", config);
    CHECK_EQUAL(f.count("circuit_breaker_calls"), 1);
    config.window_calls = 10;
    f.breakers.configure("api", config);
    CHECK_EQUAL(f.count("circuit_breaker_calls"), 0);
    CHECK_EQUAL(f.breakers.show("api").config.failure_rate, 0.7);
}

void reset_all_closes_every_breaker()
{
    Fixture f;
    f.trip("a");
    f.breakers.force_open("b", "test");
    f.breakers.disable("c");
    CHECK_EQUAL(f.breakers.reset(""), 3);
    for (const Breaker &breaker : f.breakers.list()) {
        CHECK_EQUAL(breaker.state, BreakerState::Closed);
        CHECK_EQUAL(breaker.failure_count, 0);
        CHECK(!breaker.reason);
    }
}

void a_configuration_out_of_range_is_refused_by_name()
{
    Fixture f;
    const auto refused = [&](auto member, auto value, std::string_view text) {
        ap::BreakerConfig config;
        config.*member = value;
        CHECK_THROWS(f.breakers.configure("api", config), ap::Error,
                     [&](const ap::Error &error) {
                         CHECK_EQUAL(error.status(), ap::ExitStatus::BadData);
                         CHECK_EQUAL(std::string_view(error.what()), text);
                     });
    };
    using Config = ap::BreakerConfig;
    refused(&Config::failure_rate, 1.5, "failure_rate: expected 0.01 to 1, got 1.5");
    refused(&Config::success_threshold, 0,
            "success_threshold: expected 1 to 1000000, got 0");
    refused(&Config::open_ms, 700'000,
            "longest_open_ms: expected at least open_ms, 700000, got 600000");
    ap::BreakerConfig both;
    both.window_calls = 5;
    both.window_ms = 5;
    CHECK_THROWS(f.breakers.configure("api", both), ap::Error, [](const ap::Error &) {});
    CHECK_EQUAL(f.count("circuit_breakers"), 0);
}

void a_configuration_survives_storage()
{
    ap::BreakerConfig config;
    for (const ap::BreakerField &field : ap::breaker_fields()) {
        if (field.integer != nullptr) {
            config.*field.integer += 7;
        } else {
            config.*field.real -= 0.25;
        }
    }
    const ap::BreakerConfig back =
        ap::breaker_config_from_json(ap::breaker_config_to_json(config).dump());
    for (const ap::BreakerField &field : ap::breaker_fields()) {
        CHECK(field.integer != nullptr ? back.*field.integer == config.*field.integer
                                       : back.*field.real == config.*field.real);
    }
}

void a_name_that_is_none_is_refused()
{
    Fixture f;
    CHECK_THROWS(f.breakers.failure("../x", "y"), ap::Error, [](const ap::Error &error) {
        CHECK_EQUAL(error.status(), ap::ExitStatus::BadData);
    });
}

// Processes that race.

// Forks a process that works with its own connection; `work` returns its exit status.
template <typename Work>
pid_t fork_with(const std::string &path, const Work &work)
{
    const pid_t pid = fork();
    if (pid != 0) {
        return pid;
    }
    int status = 99;
    try {
        ap::Sqlite database(path, ap::OpenMode::ReadWrite);
        status = work(database);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "# %s\n", error.what());
    }
    _exit(status);
}

int wait_for(pid_t pid)
{
    int status = 0;
    CHECK_EQUAL(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void eight_processes_race_for_one_probe_and_one_gets_it()
{
    Fixture f;
    f.trip("api");
    f.clock.advance(60s);
    ap::Pipe go = ap::make_pipe();
    ap::Pipe asked = ap::make_pipe();
    ap::Pipe end = ap::make_pipe();
    std::vector<pid_t> pids;
    for (int i = 0; i < 8; i++) {
        pids.push_back(fork_with(f.database.get().path(), [&](ap::Sqlite &database) {
            go.write.reset();
            end.write.reset();
            ap::read_all(go.read.get(), 1, "the starting pipe");
            const auto permit = ap::Breakers(database, f.clock).allow("api");
            ap::write_all(asked.write.get(), "x", "the answer pipe");
            // The winner lives on, for its probe ends with it.
            ap::read_all(end.read.get(), 1, "the ending pipe");
            return permit.probe_id ? 1 : 0;
        }));
    }
    go.write.reset();
    asked.write.reset();
    // Nobody ends before all have asked.
    char answers[8];
    for (size_t got = 0; got < sizeof answers;) {
        const ssize_t size =
            ap::read_some(asked.read.get(), answers, sizeof answers - got, "answers");
        CHECK(size > 0);
        got += static_cast<size_t>(size);
    }
    end.write.reset();
    int winners = 0;
    for (const pid_t pid : pids) {
        winners += wait_for(pid);
    }
    CHECK_EQUAL(winners, 1);
    CHECK_EQUAL(f.transitions(), "closed>open open>half_open");
}

void a_dead_prober_frees_its_probe()
{
    Fixture f;
    f.trip("api");
    f.clock.advance(60s);
    ap::Pipe taken = ap::make_pipe();
    const pid_t pid = fork_with(f.database.get().path(), [&](ap::Sqlite &database) {
        const bool allowed = ap::Breakers(database, f.clock).allow("api").allowed;
        ap::write_all(taken.write.get(), allowed ? "y" : "n", "the pipe");
        pause();
        return 0;
    });
    char answer = 0;
    CHECK_EQUAL(ap::read_some(taken.read.get(), &answer, 1, "the pipe"), 1);
    CHECK_EQUAL(answer, 'y');
    CHECK(!f.breakers.allow("api").allowed);
    CHECK_EQUAL(kill(pid, SIGKILL), 0);
    wait_for(pid);
    CHECK_EQUAL(f.breakers.show("api").probes, 0);
    CHECK(f.breakers.allow("api").allowed);
}

void eight_processes_lose_no_failure()
{
    Fixture f;
    ap::BreakerConfig config;
    config.failure_threshold = 401;
    f.breakers.configure("api", config);
    std::vector<pid_t> pids;
    for (int i = 0; i < 8; i++) {
        pids.push_back(fork_with(f.database.get().path(), [&](ap::Sqlite &database) {
            for (int call = 0; call < 50; call++) {
                ap::Breakers(database, f.clock).failure("api", "broken");
            }
            return 0;
        }));
    }
    for (const pid_t pid : pids) {
        CHECK_EQUAL(wait_for(pid), 0);
    }
    CHECK_EQUAL(f.breakers.show("api").failure_count, 400);
    CHECK_EQUAL(f.breakers.show("api").state, BreakerState::Closed);
    f.breakers.failure("api", "the last");
    CHECK_EQUAL(f.breakers.show("api").state, BreakerState::Open);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(consecutive_failures_open_it),
        TEST(a_success_between_starts_the_count_again),
        TEST(a_threshold_of_nought_never_opens_it),
        TEST(a_rate_counts_from_the_minimum_of_calls_on),
        TEST(a_window_smaller_than_the_minimum_is_enough_when_full),
        TEST(slow_calls_open_it_though_they_succeed),
        TEST(calls_that_are_not_slow_do_not_open_it),
        TEST(successful_probes_close_it),
        TEST(a_half_open_one_ignores_what_is_no_probe),
        TEST(an_open_one_ignores_late_results),
        TEST(each_failed_probe_opens_it_for_longer_up_to_a_limit),
        TEST(the_service_can_ask_for_more_time),
        TEST(a_wait_that_a_clock_set_back_made_endless_is_over),
        TEST(a_forced_open_one_names_no_time_and_a_disabled_one_lets_all_pass),
        TEST(a_long_reason_is_cut_between_characters),
        TEST(a_name_never_used_is_closed_and_leaves_no_row),
        TEST(allow_of_a_closed_one_writes_nothing),
        TEST(every_transition_is_an_event),
        TEST(joins_the_callers_transaction),
        TEST(an_open_one_tells_when_to_retry),
        TEST(probes_are_limited_and_come_back),
        TEST(an_expired_probe_frees_its_place_but_its_result_counts),
        TEST(expired_probes_do_not_pile_up),
        TEST(a_probe_of_an_earlier_half_open_period_is_nothing_now),
        TEST(the_window_by_calls_holds_the_last_ones_only),
        TEST(the_window_by_time_forgets_and_is_bounded),
        TEST(calls_noted_before_the_clock_was_set_back_do_not_count),
        TEST(another_window_starts_empty),
        TEST(reset_all_closes_every_breaker),
        TEST(a_configuration_out_of_range_is_refused_by_name),
        TEST(a_configuration_survives_storage),
        TEST(a_name_that_is_none_is_refused),
        TEST(eight_processes_race_for_one_probe_and_one_gets_it),
        TEST(a_dead_prober_frees_its_probe),
        TEST(eight_processes_lose_no_failure),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
