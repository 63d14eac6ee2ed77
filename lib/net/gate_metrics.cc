#include "net/gate_metrics.hh"

#include <array>
#include <cstdio>

namespace ap {

namespace {

std::string seconds(int64_t microseconds)
{
    std::array<char, 40> text{};
    static_cast<void>(std::snprintf(text.data(), text.size(), "%g",
                                    static_cast<double>(microseconds) / 1e6));
    return text.data();
}

void head(std::string &out, std::string_view name, std::string_view type,
          std::string_view help)
{
    out.append("# HELP ").append(name).append(" ").append(help);
    out.append("\n# TYPE ").append(name).append(" ").append(type).append("\n");
}

void family(std::string &out, std::string_view name, std::string_view help,
            const GateMetrics::ByLabels &values)
{
    head(out, name, "counter", help);
    for (const auto &[labels, value] : values) {
        out.append(name).append("{").append(labels).append("} ");
        out.append(std::to_string(value)).append("\n");
    }
}

template <typename Value>
void single(std::string &out, std::string_view name, std::string_view type,
            std::string_view help, Value value)
{
    head(out, name, type, help);
    out.append(name).append(" ").append(std::to_string(value)).append("\n");
}

// The entry of that name, made if there is none.
template <typename Value>
Value &entry(std::map<std::string, Value, std::less<>> &entries, std::string_view name)
{
    const auto found = entries.find(name);
    return found != entries.end() ? found->second
                                  : entries.try_emplace(std::string(name)).first->second;
}

template <typename Use>
void each_model(const GateMetrics &metrics, const Use &use)
{
    for (const auto &[provider, models] : metrics.settled) {
        for (const auto &[model, sums] : models) {
            use(metric_label("provider", provider) + "," + metric_label("model", model),
                sums);
        }
    }
}

void ledger_metrics(std::string &out, const LedgerStatus &ledger)
{
    single(out, "autopack_gate_admitted_total", "counter", "Calls admitted.",
           ledger.admitted);
    single(out, "autopack_gate_waited_total", "counter", "Admitted calls that waited.",
           ledger.waited);
    single(out, "autopack_gate_clamped_total", "counter",
           "Admitted calls given less output than asked for.", ledger.clamped);
    single(out, "autopack_gate_budget_refused_total", "counter",
           "Calls refused for a budget.", ledger.refused);
    single(out, "autopack_gate_settled_total", "counter", "Calls settled.",
           ledger.settled);
    single(out, "autopack_gate_over_delivered_tokens_total", "counter",
           "Tokens that providers gave beyond what was reserved.", ledger.over_delivered);
    single(out, "autopack_gate_commits_total", "counter", "Group commits.",
           ledger.commits);
    single(out, "autopack_gate_reserved_calls", "gauge", "Calls with a reservation.",
           ledger.in_flight);
    single(out, "autopack_gate_budget_waiting", "gauge",
           "Calls waiting for room in a budget.", ledger.waiting);
    single(out, "autopack_gate_unwritten", "gauge", "Settled calls not yet durable.",
           ledger.unwritten);
}

void gauge_metrics(std::string &out, const GateGauges &gauges)
{
    single(out, "autopack_gate_calls", "gauge", "Calls under way.", gauges.calls);
    single(out, "autopack_gate_connections", "gauge", "Clients' connections.",
           gauges.connections);
    single(out, "autopack_gate_upstream", "gauge", "Requests under way to providers.",
           gauges.upstream);
    single(out, "autopack_gate_queued", "gauge", "Calls waiting for a provider's limits.",
           gauges.queued);
    single(out, "autopack_gate_disk_jobs", "gauge", "Jobs waiting for the disk.",
           gauges.disk_jobs);
}

} // namespace

void GateHistogram::observe(std::chrono::microseconds length)
{
    size_t bucket = 0;
    while (bucket < bounds_us.size() && length.count() > bounds_us.at(bucket)) {
        bucket++;
    }
    counts_.at(bucket)++;
    sum_us_ += length.count();
}

void GateHistogram::print(std::string &out, std::string_view name) const
{
    uint64_t count = 0;
    for (size_t i = 0; i < counts_.size(); i++) {
        count += counts_.at(i);
        const std::string bound =
            i < bounds_us.size() ? seconds(bounds_us.at(i)) : "+Inf";
        out.append(name).append("_bucket{le=\"").append(bound).append("\"} ");
        out.append(std::to_string(count)).append("\n");
    }
    out.append(name).append("_sum ").append(seconds(sum_us_)).append("\n");
    out.append(name).append("_count ").append(std::to_string(count)).append("\n");
}

std::string metric_label(std::string_view name, std::string_view value)
{
    std::string label(name);
    label += "=\"";
    for (const char letter : value) {
        if (letter == '"' || letter == '\\') {
            label += '\\';
        }
        label += letter == '\n' ? ' ' : letter;
    }
    return label + "\"";
}

std::string_view GateMetrics::model_label(std::string_view model)
{
    const bool known = models_.contains(model);
    if (!known && models_.size() >= most_models) {
        return "other";
    }
    if (!known) {
        models_.emplace(model);
    }
    return model;
}

void GateMetrics::count_answer(std::string_view provider, int status)
{
    entry(calls, provider)[status]++;
}

void GateMetrics::count_usage(std::string_view provider, const Usage &usage)
{
    const auto count = [](int64_t amount) { return static_cast<uint64_t>(amount); };
    Settled &sums = entry(entry(settled, provider), model_label(usage.model));
    sums.prompt += count(usage.prompt_tokens);
    sums.completion += count(usage.completion_tokens);
    sums.cached += count(usage.cached_tokens);
    sums.cache_write += count(usage.cache_write_tokens);
    sums.reasoning += count(usage.reasoning_tokens);
    sums.cost_microusd += count(usage.cost_microusd);
    estimated += usage.estimated ? 1 : 0;
}

GateMetrics::ByLabels GateMetrics::calls_by_labels() const
{
    ByLabels all;
    for (const auto &[provider, statuses] : calls) {
        for (const auto &[status, count] : statuses) {
            all[metric_label("provider", provider) + "," +
                metric_label("status", std::to_string(status))] = count;
        }
    }
    return all;
}

GateMetrics::ByLabels GateMetrics::tokens_by_labels() const
{
    ByLabels all;
    each_model(*this, [&all](const std::string &labels, const Settled &sums) {
        const std::pair<std::string_view, uint64_t> kinds[] = {
            {"prompt", sums.prompt},       {"completion", sums.completion},
            {"cached", sums.cached},       {"cache_write", sums.cache_write},
            {"reasoning", sums.reasoning},
        };
        for (const auto &[kind, count] : kinds) {
            if (count > 0) {
                all[labels + "," + metric_label("kind", kind)] = count;
            }
        }
    });
    return all;
}

GateMetrics::ByLabels GateMetrics::cost_by_labels() const
{
    ByLabels all;
    each_model(*this, [&all](const std::string &labels, const Settled &sums) {
        all[labels] = sums.cost_microusd;
    });
    return all;
}

std::string metrics_text(const GateMetrics &metrics, const LedgerStatus &ledger,
                         const GateGauges &gauges)
{
    std::string out;
    family(out, "autopack_gate_answers_total", "Answers of providers, by status.",
           metrics.calls_by_labels());
    family(out, "autopack_gate_tokens_total",
           "Tokens settled; cached, cache_write and reasoning are parts of others.",
           metrics.tokens_by_labels());
    family(out, "autopack_gate_cost_microusd_total", "Cost settled in micro-dollars.",
           metrics.cost_by_labels());
    family(out, "autopack_gate_faults_total", "Answers of the gateway itself.",
           metrics.faults);
    family(out, "autopack_gate_retries_total", "Calls tried again.", metrics.retries);
    single(out, "autopack_gate_cache_hits_total", "counter",
           "Calls answered with a kept answer, at no cost.", metrics.hits);
    single(out, "autopack_gate_aborted_total", "counter", "Calls that clients left.",
           metrics.aborted);
    single(out, "autopack_gate_cut_total", "counter", "Answers that providers broke off.",
           metrics.cut);
    single(out, "autopack_gate_estimated_total", "counter",
           "Calls settled at an estimate.", metrics.estimated);
    head(out, "autopack_gate_first_byte_seconds", "histogram",
         "From a request to the header of the provider's answer.");
    metrics.first_byte.print(out, "autopack_gate_first_byte_seconds");
    head(out, "autopack_gate_added_seconds", "histogram",
         "From a request read to the request sent.");
    metrics.added.print(out, "autopack_gate_added_seconds");
    ledger_metrics(out, ledger);
    gauge_metrics(out, gauges);
    return out;
}

} // namespace ap
