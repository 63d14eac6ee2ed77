#include "ledger_support.hh"

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <thread>

using namespace ap;
using namespace std::chrono_literals;
using check::call_of;
using check::Installation;
using check::seen;
using check::usage_of;

namespace {

using State = Admission::State;

constexpr int callers = 64;

// Hands the answers to calls that wait to the threads that made them.
class Dispatcher
{
public:
    explicit Dispatcher(GatewayLedger &ledger)
        : ledger_(ledger)
        , thread_([this] { run(); })
    {
    }
    ~Dispatcher()
    {
        stop_ = true;
        thread_.join();
    }
    Dispatcher(const Dispatcher &) = delete;
    Dispatcher &operator=(const Dispatcher &) = delete;

    Admission admit(const LedgerCall &call)
    {
        Admission admission = ledger_.admit(call);
        if (admission.state != State::Waiting) {
            return admission;
        }
        std::unique_lock lock(mutex_);
        arrived_.wait(lock, [&] { return answers_.contains(admission.call); });
        return answers_.extract(admission.call).mapped();
    }

private:
    GatewayLedger &ledger_;
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::map<CallId, Admission> answers_;
    std::atomic<bool> stop_ = false;
    std::thread thread_;

    void run()
    {
        while (!stop_) {
            for (Admission &answer : check::next_answers(ledger_, 20)) {
                const std::lock_guard lock(mutex_);
                answers_.emplace(answer.call, std::move(answer));
            }
            arrived_.notify_all();
        }
    }
};

// Reads the totals as anybody may, all the time.
class Auditor
{
public:
    explicit Auditor(const Installation &installation)
        : thread_([this, &installation] {
            Sqlite database = open_database(installation.paths(), State::Access::Read);
            do {
                broken_ += database.query_integer(
                    "SELECT count(*) FROM budgets WHERE tokens_used + "
                    "tokens_reserved > "
                    "token_cap OR cost_used_microusd + cost_reserved_microusd > "
                    "coalesce(cost_cap_microusd, 9e18)");
                ++rounds_;
            } while (!stop_);
        })
    {
    }
    ~Auditor() { finish(); }
    Auditor(const Auditor &) = delete;
    Auditor &operator=(const Auditor &) = delete;

    void finish()
    {
        stop_ = true;
        if (thread_.joinable()) {
            thread_.join();
        }
    }
    int64_t broken() const { return broken_; }
    int64_t rounds() const { return rounds_; }

private:
    using State = ap::State;
    std::atomic<bool> stop_ = false;
    std::atomic<int64_t> broken_ = 0;
    std::atomic<int64_t> rounds_ = 0;
    std::thread thread_;
};

struct Tally
{
    std::atomic<int64_t> made = 0;
    std::atomic<int64_t> refused = 0;
    std::atomic<int64_t> wrongly_refused = 0;
    std::atomic<int64_t> used = 0;
    /// What all calls admitted so far really use, the ones in flight included:
    /// what a perfect gateway would have spent.
    std::atomic<int64_t> committed = 0;
};

struct Scene
{
    int64_t cap;
    bool gives_limit; ///< the client says max_tokens; else it is a guess
};

// One agent: calls one after the other until one is refused.
void call_until_refused(GatewayLedger &ledger, Dispatcher &dispatcher, const Scene &scene,
                        int number, Tally &tally)
{
    std::mt19937 random(static_cast<unsigned>(number));
    const auto between = [&random](int64_t low, int64_t high) {
        return std::uniform_int_distribution<int64_t>(low, high)(random);
    };
    for (int i = 0;; ++i) {
        const std::string id = std::to_string(number) + "-" + std::to_string(i);
        const int64_t input = between(20, 400);
        const int64_t output = between(1, 300);
        LedgerCall call =
            call_of(id, input * between(1, 4), scene.gives_limit ? 512 : 4096);
        call.output_enough = scene.gives_limit ? 512 : 300;
        call.output_least = 256;
        call.streamed = true;
        const Admission admission = dispatcher.admit(call);
        ++tally.made;
        if (admission.state == State::Refused) {
            ++tally.refused;
            tally.wrongly_refused += tally.committed + input + output <= scene.cap;
            return;
        }
        const int64_t made = std::min(output, admission.output);
        tally.committed += input + made;
        ledger.forwarding(admission.call);
        if (i % 3 == 0) {
            std::this_thread::sleep_for(std::chrono::microseconds(between(0, 2000)));
        }
        if (i % 10 ==
            9) { // the client goes away: an estimate that is not below the truth
            CHECK(ledger.observe(admission.call, seen(input, made)));
        } else if (i % 2 == 0) {
            CHECK(ledger.observe(admission.call, seen(input, made / 2)));
        }
        ledger.settle(admission.call, usage_of(input, made));
        tally.used += input + made;
    }
}

void run_scene(const Scene &scene)
{
    const Installation installation;
    installation.budget("r", "", scene.cap * 2);
    installation.budget("r", "p", scene.cap);
    Tally tally;
    LedgerOptions options;
    options.wait_limit = 60s;
    options.slots = 4096;
    GatewayLedger ledger(installation.paths(), options);
    Auditor auditor(installation);
    {
        Dispatcher dispatcher(ledger);
        std::vector<std::thread> threads;
        for (int number = 0; number < callers; ++number) {
            threads.emplace_back([&, number] {
                call_until_refused(ledger, dispatcher, scene, number, tally);
            });
        }
        for (std::thread &thread : threads) {
            thread.join();
        }
    }
    ledger.flush(30s);
    auditor.finish();
    CHECK(auditor.rounds() > 10);
    CHECK_EQUAL(auditor.broken(), 0);
    const int64_t recorded =
        installation.number("SELECT tokens_used FROM budgets WHERE phase_id = 'p'");
    CHECK_EQUAL(recorded, tally.used.load());
    CHECK(recorded <= scene.cap);
    CHECK_EQUAL(tally.refused.load(), callers);
    print_message("# %ld calls, cap %ld, used %ld, wrongly refused %ld (%.2f %%)\n",
                  tally.made.load(), scene.cap, recorded, tally.wrongly_refused.load(),
                  100.0 * static_cast<double>(tally.wrongly_refused.load()) /
                      static_cast<double>(tally.made.load()));
    CHECK(tally.wrongly_refused * 50 < tally.made);
}

void no_cap_is_passed_and_few_are_refused_with_limits()
{
    run_scene({1'500'000, true});
}

void no_cap_is_passed_and_few_are_refused_without_limits()
{
    run_scene({1'500'000, false});
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(no_cap_is_passed_and_few_are_refused_with_limits),
        TEST(no_cap_is_passed_and_few_are_refused_without_limits),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
