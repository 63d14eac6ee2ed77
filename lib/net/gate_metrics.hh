#pragma once

#include "domain/budget.hh"
#include "domain/gateway_ledger.hh"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace ap {

/// A histogram of lengths of time with fixed bounds, as Prometheus has them.
class GateHistogram
{
public:
    void observe(std::chrono::microseconds length);
    void print(std::string &out, std::string_view name) const;

private:
    static constexpr std::array<int64_t, 14> bounds_us = {
        100,    250,     500,     1'000,     2'500,     5'000,      10'000,
        50'000, 100'000, 500'000, 1'000'000, 5'000'000, 30'000'000, 120'000'000};
    std::array<uint64_t, bounds_us.size() + 1> counts_{};
    int64_t sum_us_ = 0;
};

/// What the gateway counts.
struct GateMetrics
{
    using ByLabels = std::map<std::string, uint64_t, std::less<>>; ///< `a="b",c="d"`

    /// What was settled of one provider's model.
    struct Settled
    {
        uint64_t prompt = 0;
        uint64_t completion = 0;
        uint64_t cached = 0;
        uint64_t cache_write = 0;
        uint64_t reasoning = 0;
        uint64_t cost_microusd = 0;
    };
    // Labels are written when they are asked for, not with each call.
    template <typename Key, typename Value>
    using ByProvider =
        std::map<std::string, std::map<Key, Value, std::less<>>, std::less<>>;

    ByProvider<int, uint64_t> calls;          ///< answered: by provider and status
    ByProvider<std::string, Settled> settled; ///< by provider and model
    ByLabels faults;          ///< answered by the gateway itself: by reason
    ByLabels retries;         ///< by provider and reason
    uint64_t hits = 0;        ///< calls answered with a kept answer
    uint64_t aborted = 0;     ///< by clients
    uint64_t cut = 0;         ///< answers broken off by providers
    uint64_t estimated = 0;   ///< settled at an estimate
    GateHistogram first_byte; ///< from request to the provider's header
    GateHistogram added;      ///< by the gateway, from request to the provider's request

    void count_answer(std::string_view provider, int status);
    void count_usage(std::string_view provider, const Usage &usage);

    /// The metrics by labels: answers, tokens and cost.
    ByLabels calls_by_labels() const;
    ByLabels tokens_by_labels() const;
    ByLabels cost_by_labels() const;

    /// The model as a label's value: its name, or "other" once there were most_models
    /// different ones, since a client can ask for any.
    std::string_view model_label(std::string_view model);
    static constexpr size_t most_models = 100;

private:
    std::set<std::string, std::less<>> models_;
};

/// What /metrics says besides.
struct GateGauges
{
    size_t calls = 0;
    size_t connections = 0;
    size_t upstream = 0;
    size_t queued = 0;
    size_t disk_jobs = 0;
};

/// All in Prometheus' text format.
std::string metrics_text(const GateMetrics &metrics, const LedgerStatus &ledger,
                         const GateGauges &gauges);

/// A label's value, escaped.
std::string metric_label(std::string_view name, std::string_view value);

} // namespace ap
