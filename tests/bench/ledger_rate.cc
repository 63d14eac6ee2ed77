// What one call costs the gateway's loop in bookkeeping, and how many are
// recorded a second: admits and settles calls one after the other, as fast as
// it goes.
//   ledger_rate [CALLS]

#include "base/text.hh"
#include "domain/gateway_ledger.hh"
#include "domain/schema.hh"
#include "domain/state.hh"
#include "sys/path.hh"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace ap;
using Steady = std::chrono::steady_clock;

namespace {

double seconds_since(Steady::time_point start)
{
    return std::chrono::duration<double>(Steady::now() - start).count();
}

void make_database(const StatePaths &paths)
{
    Sqlite database = open_database(paths, State::Access::Create);
    migrate(database, migrations());
    database.execute("INSERT INTO runs (run_id, plan, created_at) VALUES ('r', '{}', 1);"
                     "INSERT INTO budgets (run_id, phase_id, token_cap) VALUES "
                     "('r', '', 1000000000000), ('r', 'p', 1000000000000)");
}

void measure(const StatePaths &paths, int64_t calls)
{
    GatewayLedger ledger(paths, {});
    LedgerCall call;
    call.run_id = "r";
    call.phase_id = "p";
    call.provider = "mock";
    call.model = "claude-sonnet-4-20250514";
    call.input = 1000;
    call.output_wanted = call.output_enough = 1024;
    Usage usage;
    usage.prompt_tokens = 700;
    usage.completion_tokens = 100;
    int64_t waited = 0;
    double busy = 0;
    const auto start = Steady::now();
    for (int64_t i = 0; i < calls; ++i) {
        const std::string id = "req-" + std::to_string(i);
        call.request_id = id;
        auto before = Steady::now();
        Admission admission = ledger.admit(call);
        while (admission.state != Admission::State::Admitted) {
            busy += seconds_since(before);
            ++waited;
            while (admission.state == Admission::State::Waiting) {
                for (const Admission &answer : ledger.take_answers()) {
                    admission = answer;
                }
            }
            before = Steady::now();
            if (admission.state == Admission::State::Refused) {
                admission = ledger.admit(call); // more in flight than slots
            }
        }
        ledger.forwarding(admission.call);
        ledger.settle(admission.call, usage);
        busy += seconds_since(before);
    }
    ledger.flush(std::chrono::minutes(5));
    const double total = seconds_since(start);
    std::printf("%ld calls: %.2f us each on the loop, %.0f recorded a second, %ld waits, "
                "%ld commits\n",
                calls, busy * 1e6 / static_cast<double>(calls),
                static_cast<double>(calls) / total, waited, ledger.status().commits);
}

} // namespace

int main(int argc, char **argv)
{
    std::string directory = "/tmp/ledger-rate-XXXXXX";
    if (mkdtemp(directory.data()) == nullptr) {
        return 1;
    }
    const StatePaths paths = {directory + "/autopack.db", directory + "/runs", directory};
    make_database(paths);
    measure(paths, argc > 1 ? require_integer(argv[1], 1, 10'000'000, "CALLS") : 200'000);
    remove_tree(directory);
    return 0;
}
