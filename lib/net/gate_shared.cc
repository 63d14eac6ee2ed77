#include "net/gate_shared.hh"

#include <random>
#include <unistd.h>

namespace ap {

namespace {

std::string random_name()
{
    std::random_device device;
    const uint64_t number = (uint64_t{device()} << 32) | device();
    std::string name;
    for (int shift = 60; shift >= 0; shift -= 4) {
        name += "0123456789abcdef"[(number >> shift) & 15];
    }
    return name;
}

} // namespace

GateShared::GateShared(const StatePaths &state, const LedgerOptions &options,
                       size_t loop_count)
    : paths(state)
    , store(paths)
    , ledger(paths, options)
    , figures(loop_count)
    , instance_(random_name())
{
}

std::string GateShared::request_id(uint64_t call) const
{
    return "gate-" + instance_ + "-" + std::to_string(call);
}

GateGauges GateShared::gauges()
{
    GateGauges gauges;
    for (const Figures &loop : figures) {
        gauges.calls += loop.calls;
        gauges.connections += loop.connections;
        gauges.upstream += loop.upstream;
    }
    gauges.queued = queues.waiting();
    gauges.disk_jobs = store.pending();
    return gauges;
}

std::string GateShared::metrics()
{
    const LedgerStatus books = ledger.status();
    const GateGauges now = gauges();
    const std::lock_guard lock(metrics_mutex_);
    return metrics_text(metrics_, books, now);
}

std::string GateShared::trouble() const
{
    const std::string disk = store.trouble();
    return disk.empty() ? ledger.status().trouble : disk;
}

std::string GateShared::status_line()
{
    const GateGauges now = gauges();
    const LedgerStatus books = ledger.status();
    return std::to_string(now.calls) + " calls, " + std::to_string(now.upstream) +
           " upstream, " + std::to_string(now.queued) + " queued, " +
           std::to_string(books.waiting) + " waiting for budget, " +
           std::to_string(books.settled) + " settled, " + std::to_string(books.refused) +
           " refused" + (draining ? ", draining" : "");
}

Json GateShared::status()
{
    const auto number = [](auto value) { return static_cast<int64_t>(value); };
    const GateGauges now = gauges();
    const LedgerStatus books = ledger.status();
    Json json = Json::object();
    json.set("pid", getpid()).set("draining", draining.load());
    json.set("calls", number(now.calls)).set("connections", number(now.connections));
    json.set("upstream", number(now.upstream)).set("queued", number(now.queued));
    json.set("waiting_for_budget", books.waiting).set("admitted", books.admitted);
    json.set("settled", books.settled).set("refused", books.refused);
    json.set("unwritten", books.unwritten);
    const std::string wrong = books.trouble.empty() ? store.trouble() : books.trouble;
    json.set("trouble", wrong.empty() ? Json::null() : Json::string(wrong));
    return json;
}

} // namespace ap
