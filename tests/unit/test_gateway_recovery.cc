#include "ledger_support.hh"

#include "domain/integrity.hh"
#include "sys/mapped_file.hh"

#include <atomic>
#include <cstring>
#include <random>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace ap;
using namespace std::chrono_literals;
using check::admitted;
using check::call_of;
using check::Installation;
using check::seen;
using check::usage_of;

namespace {

const LedgerOptions quick = {500ms, 5ms, 1h, 256};
const LedgerOptions slow = {500ms, 1h, 1h, 256}; // nothing settled is written

// Runs `work` in a process of its own that kills itself at its end.
template <typename Work>
void in_killed_process(const Work &work)
{
    const pid_t child = fork();
    if (child == 0) {
        work();
        kill(getpid(), SIGKILL);
    }
    int status = 0;
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

Reconciliation reconcile(const Installation &installation)
{
    Sqlite database = installation.open();
    const SystemClock clock;
    return reconcile_gateways(database, gateway_journal_path(installation.paths()),
                              clock);
}

void make_calls_in_every_state(const Installation &installation,
                               const LedgerOptions &options)
{
    GatewayLedger ledger(installation.paths(), options);
    LedgerCall streamed = call_of("streamed", 1000, 5000);
    streamed.streamed = true;
    const Admission stream = admitted(ledger, streamed);
    const Admission settled = admitted(ledger, call_of("settled", 1000, 500));
    const Admission sent = admitted(ledger, call_of("sent", 100, 50));
    const Admission kept = admitted(ledger, call_of("kept", 100, 50));
    static_cast<void>(kept); // admitted, but not sent
    ledger.forwarding(stream.call);
    static_cast<void>(ledger.observe(stream.call, seen(700, 100)));
    ledger.forwarding(settled.call);
    ledger.settle(settled.call, usage_of(900, 40));
    ledger.forwarding(sent.call);
    kill(getpid(), SIGKILL);
}

void calls_of_a_killed_gateway_are_recorded_once()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 50'000);
    in_killed_process([&] { make_calls_in_every_state(installation, slow); });
    CHECK(installation.number(
              "SELECT tokens_reserved FROM budgets WHERE phase_id = 'p'") >= 1350);
    const Reconciliation done = reconcile(installation);
    CHECK_EQUAL(done.gateways, 1);
    CHECK(done.exact <= 1); // a cycle that was under way may have written it
    CHECK_EQUAL(done.estimated, 2);
    CHECK_EQUAL(installation.open().query_text(
                    "SELECT group_concat(request_id || ' ' || prompt_tokens || ' ' || "
                    "completion_tokens || ' ' || estimated, ', ') FROM "
                    "(SELECT * FROM llm_usage_events ORDER BY request_id)"),
                "sent 100 50 1, settled 900 40 0, streamed 700 356 1");
    CHECK_EQUAL(installation.number("SELECT sum(tokens_reserved) FROM budgets"), 0);
    CHECK_EQUAL(reconcile(installation).gateways, 0);
    CHECK_EQUAL(installation.number("SELECT count(*) FROM llm_usage_events"), 3);
    Sqlite database = installation.open();
    for (const Finding &finding : check_integrity(database)) {
        CHECK(!finding.rule.starts_with("budget") &&
              !finding.rule.starts_with("gateway") && !finding.rule.starts_with("day"));
    }
}

// A streamed call of the model with an input of at most `bound`.
LedgerCall stream_of(std::string_view request_id, int64_t bound, int64_t output)
{
    LedgerCall call = call_of(request_id, bound, output);
    call.dialect = Dialect::OpenAiChat;
    call.streamed = true;
    return call;
}

// Each with a tenth of the bound as its input and a token for five bytes.
void make_whole_calls(GatewayLedger &ledger, int count)
{
    for (int i = 0; i < count; ++i) {
        const Admission call =
            admitted(ledger, stream_of("whole" + std::to_string(i), 1000, 500));
        ledger.forwarding(call.call);
        static_cast<void>(ledger.observe(call.call, {{}, 0, 500, 2000, false}));
        ledger.settle(call.call, usage_of(100, 400));
    }
}

void a_killed_gateway_s_streams_are_estimated_by_what_was_seen_before()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 50'000);
    {
        GatewayLedger ledger(installation.paths(), quick);
        make_whole_calls(ledger, CallRatios::enough);
    }
    in_killed_process([&] {
        GatewayLedger ledger(installation.paths(), quick); // knows what the last one did
        const Admission cut = admitted(ledger, stream_of("cut", 1000, 5000));
        ledger.forwarding(cut.call);
        ledger.answered(cut.call, "req_1");
        static_cast<void>(ledger.observe(cut.call, {{}, 0, 1000, 1000, false}));
        LedgerCall other = stream_of("unknown", 1000, 5000);
        other.model = "other";
        const Admission unknown = admitted(ledger, other);
        ledger.forwarding(unknown.call);
        LedgerCall counted = stream_of("counted", 1000, 5000);
        counted.input_from_bytes = false;
        const Admission exact = admitted(ledger, counted);
        ledger.forwarding(exact.call);
        kill(getpid(), SIGKILL);
    });
    reconcile(installation);
    // 100 and 200 with their margins, and 256 that may have been under way
    CHECK_EQUAL(installation.open().query_text(
                    "SELECT group_concat(request_id || ' ' || prompt_tokens || ' ' || "
                    "completion_tokens || ' ' || coalesce(provider_request_id, '-'), "
                    "', ') FROM (SELECT * FROM llm_usage_events WHERE estimated = 1 "
                    "ORDER BY request_id)"),
                "counted 1000 5000 -, cut 136 463 req_1, unknown 1000 5000 -");
}

void the_next_gateway_closes_the_books_of_the_last()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 50'000);
    in_killed_process([&] { make_calls_in_every_state(installation, slow); });
    GatewayLedger next(installation.paths(), quick);
    CHECK_EQUAL(installation.number("SELECT count(*) FROM llm_usage_events"), 3);
    CHECK_EQUAL(installation.number("SELECT sum(tokens_reserved) FROM budgets"), 0);
}

void a_living_gateway_is_left_alone()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 50'000);
    GatewayLedger ledger(installation.paths(), quick);
    const Admission call = admitted(ledger, call_of("a", 100, 50));
    CHECK_EQUAL(reconcile(installation).gateways, 0);
    CHECK(installation.number("SELECT sum(tokens_reserved) FROM budgets") > 0);
    ledger.cancel(call.call);
}

void after_a_power_loss_the_whole_tranche_counts()
{
    const Installation installation;
    installation.budget("r", "", 100'000);
    installation.budget("r", "p", 50'000);
    in_killed_process([&] { make_calls_in_every_state(installation, slow); });
    const int64_t held = installation.number(
        "SELECT tokens_used + tokens_reserved FROM budgets WHERE phase_id = 'p'");
    {
        MappedFile journal(gateway_journal_path(installation.paths()), 0);
        std::string bytes(reinterpret_cast<char *>(journal.data()), 4096);
        const size_t boot = bytes.find(ProcessIdentity::self().boot_id);
        CHECK(boot != std::string::npos);
        journal.data()[boot] = std::byte{'!'};
    }
    CHECK_EQUAL(reconcile(installation).estimated, 1);
    CHECK_EQUAL(
        installation.number("SELECT tokens_used FROM budgets WHERE phase_id = 'p'"),
        held);
    CHECK_EQUAL(installation.number("SELECT sum(tokens_reserved) FROM budgets"), 0);
}

void without_its_journal_the_whole_tranche_counts()
{
    for (const std::string_view content : {"", "short", "gone"}) {
        const Installation installation;
        installation.budget("r", "", 100'000);
        installation.budget("r", "p", 50'000);
        in_killed_process([&] { make_calls_in_every_state(installation, slow); });
        const int64_t held = installation.number(
            "SELECT tokens_used + tokens_reserved FROM budgets WHERE phase_id = 'p'");
        const std::string journal = gateway_journal_path(installation.paths());
        remove_file(journal);
        if (content != "gone") {
            replace_file(journal, content);
        }
        reconcile(installation);
        CHECK_EQUAL(
            installation.number("SELECT tokens_used FROM budgets WHERE phase_id = 'p'"),
            held);
    }
}

// What a provider delivered, kept where no SIGKILL of the gateway reaches it.
struct Delivery
{
    std::atomic<int64_t> tokens;
    std::atomic<int64_t> settled;
};
constexpr int rounds = 25;
constexpr int callers = 16;
constexpr int most_calls = 2'000;
struct Provider
{
    Delivery deliveries[rounds][callers][most_calls];
};

void serve_calls(GatewayLedger &ledger, std::mutex &answers, Provider &provider,
                 int round, int caller)
{
    std::mt19937 random(static_cast<unsigned>(round * 1000 + caller));
    const auto below = [&random](int64_t bound) {
        return static_cast<int64_t>(random() % static_cast<uint64_t>(bound));
    };
    for (int i = 0; i < most_calls; ++i) {
        const std::string id = std::to_string(round) + "-" + std::to_string(caller) +
                               "-" + std::to_string(i);
        const int64_t input = 20 + below(300);
        LedgerCall call = call_of(id, input * 2, 800);
        call.streamed = true;
        Admission admission = ledger.admit(call);
        if (admission.state == Admission::State::Waiting) {
            // Whoever takes an answer of another's call lets that one go.
            const std::lock_guard lock(answers);
            ledger.cancel(admission.call);
            for (const Admission &answer : ledger.take_answers()) {
                ledger.cancel(answer.call);
            }
            std::this_thread::sleep_for(1ms);
            continue;
        }
        if (admission.state == Admission::State::Refused) {
            continue;
        }
        Delivery &delivery = provider.deliveries[round][caller][i];
        ledger.forwarding(admission.call);
        delivery.tokens += input;
        int64_t output = 0;
        while (output < admission.output && below(6) > 0) {
            const int64_t piece = std::min(admission.output - output, 1 + below(200));
            delivery.tokens += piece;
            output += piece;
            static_cast<void>(ledger.observe(admission.call, seen(input, output)));
            if (below(4) == 0) {
                std::this_thread::sleep_for(std::chrono::microseconds(below(500)));
            }
        }
        delivery.settled = 1;
        ledger.settle(admission.call, usage_of(input, output));
    }
}

void run_gateway(const Installation &installation, Provider &provider, int round)
{
    LedgerOptions options;
    options.commit_interval = 3ms;
    GatewayLedger ledger(installation.paths(), options);
    std::mutex answers;
    std::vector<std::thread> threads;
    for (int caller = 0; caller < callers; ++caller) {
        threads.emplace_back(
            [&, caller] { serve_calls(ledger, answers, provider, round, caller); });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    pause();
}

void check_round(const Installation &installation, Provider &provider, int round)
{
    Sqlite database = installation.open();
    Statement query =
        database.prepare("SELECT prompt_tokens + completion_tokens, estimated "
                         "FROM llm_usage_events "
                         "WHERE run_id = 'r' AND request_id = ?1");
    for (int caller = 0; caller < callers; ++caller) {
        for (int i = 0; i < most_calls; ++i) {
            const Delivery &delivery = provider.deliveries[round][caller][i];
            const int64_t delivered = delivery.tokens;
            if (delivered == 0) {
                continue;
            }
            query.bind_all(std::to_string(round) + "-" + std::to_string(caller) + "-" +
                           std::to_string(i));
            CHECK(query.step());
            const int64_t counted = query.integer(0);
            const bool estimated = query.integer(1) != 0;
            query.reset();
            CHECK(estimated ? counted >= delivered : counted == delivered);
            CHECK(estimated || delivery.settled == 1);
        }
    }
}

void no_kill_loses_a_call_or_passes_the_cap()
{
    const Installation installation;
    constexpr int64_t cap = 4'000'000;
    installation.budget("r", "", cap);
    installation.budget("r", "p", cap);
    void *const shared = mmap(nullptr, sizeof(Provider), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    Provider &provider = *static_cast<Provider *>(shared);
    std::mt19937 random(99);
    for (int round = 0; round < rounds; ++round) {
        const pid_t child = fork();
        if (child == 0) {
            run_gateway(installation, provider, round);
            _exit(0);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10 + random() % 200));
        CHECK_EQUAL(kill(child, SIGKILL), 0);
        CHECK_EQUAL(waitpid(child, nullptr, 0), child);
        CHECK(installation.number("SELECT max(tokens_used + tokens_reserved - token_cap) "
                                  "FROM budgets") <= 0);
        reconcile(installation);
        CHECK_EQUAL(installation.number("SELECT sum(tokens_reserved) FROM budgets"), 0);
        check_round(installation, provider, round);
    }
    const int64_t used = installation.number("SELECT max(tokens_used) FROM budgets");
    CHECK(used <= cap);
    print_message(
        "# %d kills: %ld calls, %ld of them estimated, %ld of %ld tokens used\n", rounds,
        installation.number("SELECT count(*) FROM llm_usage_events"),
        installation.number("SELECT sum(estimated) FROM llm_usage_events"), used, cap);
    CHECK(installation.number("SELECT count(*) FROM llm_usage_events") > 500);
    munmap(shared, sizeof(Provider));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(calls_of_a_killed_gateway_are_recorded_once),
        TEST(a_killed_gateway_s_streams_are_estimated_by_what_was_seen_before),
        TEST(the_next_gateway_closes_the_books_of_the_last),
        TEST(a_living_gateway_is_left_alone),
        TEST(after_a_power_loss_the_whole_tranche_counts),
        TEST(without_its_journal_the_whole_tranche_counts),
        TEST(no_kill_loses_a_call_or_passes_the_cap),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
