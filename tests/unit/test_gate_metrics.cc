#include "check.hh"

#include "net/gate_metrics.hh"

using namespace ap;
using namespace std::chrono_literals;

namespace {

bool has_line(const std::string &text, const std::string &line)
{
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

Usage usage_of(const std::string &model, int64_t prompt, int64_t completion)
{
    Usage usage;
    usage.model = model;
    usage.prompt_tokens = prompt;
    usage.completion_tokens = completion;
    usage.cost_microusd = 7;
    return usage;
}

void usage_adds_up_by_provider_and_model()
{
    GateMetrics metrics;
    metrics.count_usage("p", usage_of("m", 10, 5));
    metrics.count_usage("p", usage_of("m", 1, 0));
    const std::string text = metrics_text(metrics, {}, {});
    CHECK(has_line(text, "autopack_gate_tokens_total{provider=\"p\",model=\"m\",kind="
                         "\"prompt\"} 11"));
    CHECK(has_line(text, "autopack_gate_tokens_total{provider=\"p\",model=\"m\",kind="
                         "\"completion\"} 5"));
    CHECK(has_line(text,
                   "autopack_gate_cost_microusd_total{provider=\"p\",model=\"m\"} 14"));
    CHECK(text.find("kind=\"reasoning\"") == std::string::npos);
}

void models_beyond_the_first_hundred_are_counted_together()
{
    GateMetrics metrics;
    for (int i = 0; i < 1000; i++) {
        metrics.count_usage("p", usage_of("m" + std::to_string(i), 1, 0));
    }
    metrics.count_usage("p", usage_of("m0", 1, 0));
    CHECK_EQUAL(metrics.tokens_by_labels().size(), GateMetrics::most_models + 1);
    const std::string text = metrics_text(metrics, {}, {});
    CHECK(has_line(text, "autopack_gate_tokens_total{provider=\"p\",model=\"other\",kind="
                         "\"prompt\"} 900"));
    CHECK(has_line(text, "autopack_gate_tokens_total{provider=\"p\",model=\"m0\",kind="
                         "\"prompt\"} 2"));
}

void histograms_are_cumulative()
{
    GateMetrics metrics;
    metrics.first_byte.observe(80us);
    metrics.first_byte.observe(100us);
    metrics.first_byte.observe(3ms);
    metrics.first_byte.observe(10min);
    const std::string text = metrics_text(metrics, {}, {});
    const std::string name = "autopack_gate_first_byte_seconds";
    CHECK(has_line(text, name + "_bucket{le=\"0.0001\"} 2"));
    CHECK(has_line(text, name + "_bucket{le=\"0.0025\"} 2"));
    CHECK(has_line(text, name + "_bucket{le=\"0.005\"} 3"));
    CHECK(has_line(text, name + "_bucket{le=\"120\"} 3"));
    CHECK(has_line(text, name + "_bucket{le=\"+Inf\"} 4"));
    CHECK(has_line(text, name + "_count 4"));
}

void labels_are_escaped()
{
    CHECK_EQUAL(metric_label("model", "a\"b\\c\nd"), "model=\"a\\\"b\\\\c d\"");
}

void every_family_has_its_help_and_type()
{
    LedgerStatus ledger;
    ledger.refused = 3;
    GateGauges gauges;
    gauges.queued = 4;
    const std::string text = metrics_text({}, ledger, gauges);
    CHECK(has_line(text, "autopack_gate_budget_refused_total 3"));
    CHECK(has_line(text, "autopack_gate_queued 4"));
    CHECK(has_line(text, "# TYPE autopack_gate_queued gauge"));
    CHECK(has_line(text, "# TYPE autopack_gate_cache_hits_total counter"));
    CHECK(has_line(text, "# TYPE autopack_gate_added_seconds histogram"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(usage_adds_up_by_provider_and_model),
        TEST(models_beyond_the_first_hundred_are_counted_together),
        TEST(histograms_are_cumulative),
        TEST(labels_are_escaped),
        TEST(every_family_has_its_help_and_type),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
