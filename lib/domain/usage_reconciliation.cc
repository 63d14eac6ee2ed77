#include "domain/usage_reconciliation.hh"

#include "base/text.hh"
#include "domain/state.hh"
#include "sys/path.hh"

#include <algorithm>

namespace ap {

namespace {

constexpr size_t largest_file = 64 << 20;

struct Recorded
{
    int64_t usage_id = 0;
    Usage usage;
    bool reconciled = false;
};

[[noreturn]] void refuse(const std::string &call, const std::string &why)
{
    throw Error(ExitStatus::BadData, "call " + printable(call) + ": " + why);
}

// By any of its names. That of the provider is looked for among estimates and what was
// reconciled only, which are few: left to itself (no CROSS), SQLite would look at all the
// calls of the run.
int64_t find_call(Sqlite &database, std::string_view run_id, const std::string &call)
{
    Statement query = database.prepare(
        "SELECT usage_id FROM llm_usage_events WHERE usage_id = ?3 AND run_id = ?1 "
        "UNION SELECT usage_id FROM llm_usage_events WHERE run_id = ?1 AND "
        "request_id = ?2 "
        "UNION SELECT usage_id FROM llm_usage_events "
        "INDEXED BY llm_usage_events_estimated "
        "WHERE run_id = ?1 AND estimated = 1 AND provider_request_id = ?2 "
        "UNION SELECT usage_id FROM usage_reconciliations CROSS JOIN "
        "llm_usage_events USING (usage_id) WHERE run_id = ?1 AND "
        "provider_request_id = ?2");
    query.bind_all(run_id, call, parse_integer(call, 1, INT64_MAX));
    if (!query.step()) {
        throw Error(ExitStatus::NoInput, "no call " + printable(call) + " in run '" +
                                             std::string(run_id) + "'");
    }
    const int64_t usage_id = query.integer(0);
    if (query.step()) {
        refuse(call, "expected the name of one call, got that of several");
    }
    return usage_id;
}

Recorded read_call(Sqlite &database, int64_t usage_id, const std::string &call)
{
    Statement query = database.prepare(
        "SELECT model, prompt_tokens, completion_tokens, cost_microusd, estimated, "
        "EXISTS (SELECT 1 FROM usage_reconciliations WHERE usage_id = ?1), "
        "cached_tokens, cache_write_tokens "
        "FROM llm_usage_events WHERE usage_id = ?1");
    query.bind_all(usage_id);
    query.step();
    Recorded recorded;
    recorded.usage_id = usage_id;
    recorded.usage.model = query.text(0);
    recorded.usage.prompt_tokens = query.integer(1);
    recorded.usage.completion_tokens = query.integer(2);
    recorded.usage.cost_microusd = query.integer(3);
    recorded.usage.estimated = query.integer(4) != 0;
    recorded.reconciled = query.integer(5) != 0;
    recorded.usage.cached_tokens = query.integer(6);
    recorded.usage.cache_write_tokens = query.integer(7);
    if (!recorded.usage.estimated && !recorded.reconciled) {
        refuse(call, "expected an estimate, got what the provider said");
    }
    return recorded;
}

// What an estimate has of a cache the provider told at the beginning of its answer: that
// holds, unless it is told now.
Usage with_cached_input(const Usage &estimate, Usage usage)
{
    if (usage.cached_tokens == 0 && usage.cache_write_tokens == 0) {
        usage.cached_tokens = estimate.cached_tokens;
        usage.cache_write_tokens = estimate.cache_write_tokens;
    }
    usage.cached_tokens = std::min(usage.cached_tokens, usage.prompt_tokens);
    usage.cache_write_tokens =
        std::min(usage.cache_write_tokens, usage.prompt_tokens - usage.cached_tokens);
    return usage;
}

// Who priced the estimate by another list would price the call by it, too.
int64_t cost_that_follows(const Usage &estimate, const ToldUsage &told,
                          const Usage &usage, const PriceList &prices)
{
    if (told.tells_cost || estimate.cost_microusd == 0) {
        return usage.cost_microusd;
    }
    const ModelFacts *facts = prices.find(estimate.model);
    if (facts == nullptr ||
        (cost_of(*facts, estimate) != estimate.cost_microusd &&
         cost_bound(*facts, estimate.prompt_tokens, estimate.completion_tokens) !=
             estimate.cost_microusd)) {
        refuse(told.call, "its cost is needed: the estimate's was not made with the "
                          "installed prices");
    }
    return cost_of(*facts, usage);
}

bool is_same(const Usage &a, const ToldUsage &told)
{
    return a.prompt_tokens == told.usage.prompt_tokens &&
           a.completion_tokens == told.usage.completion_tokens &&
           (!told.tells_cost || a.cost_microusd == told.usage.cost_microusd);
}

void replace(Sqlite &database, const Recorded &recorded, const Usage &usage,
             const Clock &clock)
{
    database
        .prepare("INSERT INTO usage_reconciliations "
                 "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
        .bind_all(recorded.usage_id, recorded.usage.prompt_tokens,
                  recorded.usage.completion_tokens, recorded.usage.cost_microusd,
                  usage.prompt_tokens, usage.completion_tokens, usage.cost_microusd,
                  clock.now())
        .run();
    database
        .prepare("UPDATE llm_usage_events SET estimated = 0, prompt_tokens = ?2, "
                 "completion_tokens = ?3, cost_microusd = ?4, cached_tokens = ?5, "
                 "cache_write_tokens = ?6, reasoning_tokens = ?7 WHERE usage_id = ?1")
        .bind_all(recorded.usage_id, usage.prompt_tokens, usage.completion_tokens,
                  usage.cost_microusd, usage.cached_tokens, usage.cache_write_tokens,
                  std::min(usage.reasoning_tokens, usage.completion_tokens))
        .run();
}

ToldUsage told_usage_from_json(const Json &record)
{
    ToldUsage told;
    const Json call = record.get("call");
    if (const auto number = call ? record.get_integer("call") : std::nullopt) {
        told.call = std::to_string(*number);
    } else if (const auto name = call ? record.get_string("call") : std::nullopt) {
        told.call = *name;
    }
    if (told.call.empty()) {
        throw Error(ExitStatus::BadData, "call: expected a number or a name");
    }
    told.usage = usage_from_json(record);
    const auto tells = [&](std::string_view member) {
        const Json value = record.get(member);
        return value && !value.is_null();
    };
    if (!(tells("prompt_tokens") || tells("input_tokens")) ||
        !(tells("completion_tokens") || tells("output_tokens"))) {
        throw Error(ExitStatus::BadData,
                    "expected prompt_tokens and completion_tokens, got one of them");
    }
    told.tells_cost = tells("cost_usd") || tells("cost_microusd");
    return told;
}

} // namespace

void for_each_estimate(Sqlite &database, std::string_view run_id,
                       const std::function<void(const EstimatedCall &)> &each)
{
    static_cast<void>(show_budget(database, run_id, ""));
    Statement query = database.prepare(
        "SELECT usage_id, created_at, phase_id, attempt, provider, model, "
        "prompt_tokens, completion_tokens, cost_microusd, duration_ms, request_id, "
        "provider_request_id FROM llm_usage_events "
        "INDEXED BY llm_usage_events_estimated "
        "WHERE run_id = ?1 AND estimated = 1 ORDER BY usage_id");
    query.bind_all(run_id);
    while (query.step()) {
        EstimatedCall call;
        call.usage_id = query.integer(0);
        call.at = query.integer(1);
        call.phase_id = query.text(2);
        call.attempt = query.optional_integer(3);
        call.usage.provider = query.text(4);
        call.usage.model = query.text(5);
        call.usage.prompt_tokens = query.integer(6);
        call.usage.completion_tokens = query.integer(7);
        call.usage.cost_microusd = query.integer(8);
        call.usage.duration_ms = query.integer(9);
        call.usage.request_id = query.optional_text(10);
        call.usage.provider_request_id = query.text(11);
        call.usage.estimated = true;
        each(call);
    }
}

Json estimate_to_json(const EstimatedCall &call)
{
    const auto if_any = [](const std::string &text) {
        return text.empty() ? std::nullopt : std::optional(text);
    };
    Json json = Json::object();
    json.set("call", call.usage_id)
        .set("recorded_at", format_rfc3339(call.at))
        .set("phase_id", if_any(call.phase_id))
        .set("attempt", call.attempt)
        .set("provider", call.usage.provider)
        .set("model", call.usage.model)
        .set("prompt_tokens", call.usage.prompt_tokens)
        .set("completion_tokens", call.usage.completion_tokens)
        .set("cost_microusd", call.usage.cost_microusd)
        .set("duration_ms", call.usage.duration_ms)
        .set("request_id", call.usage.request_id)
        .set("provider_request_id", if_any(call.usage.provider_request_id));
    return json;
}

std::vector<std::string> estimate_headings()
{
    return {"CALL",  "RECORDED", "PHASE", "PROVIDER",     "MODEL",
            "INPUT", "OUTPUT",   "COST",  "PROVIDER'S ID"};
}

std::vector<std::string> estimate_row(const EstimatedCall &call)
{
    const auto or_dash = [](const std::string &text) {
        return text.empty() ? std::string("-") : text;
    };
    return {std::to_string(call.usage_id),
            format_rfc3339(call.at),
            or_dash(call.phase_id),
            or_dash(call.usage.provider),
            or_dash(call.usage.model),
            std::to_string(call.usage.prompt_tokens),
            std::to_string(call.usage.completion_tokens),
            format_usd(call.usage.cost_microusd),
            or_dash(call.usage.provider_request_id)};
}

std::vector<ToldUsage> told_usage(const std::string &call, const OptionValue &value)
{
    const auto usage = usage_options(value, "file");
    if (call.empty()) {
        if (usage) {
            throw UsageError("reconcile: which CALL used that?");
        }
        return told_usage_from_file(value("file").value_or("-"));
    }
    for (const char *other : {"model", "provider", "request-id"}) {
        if (value(other)) {
            throw UsageError("reconcile: --" + std::string(other) +
                             " is not what a call used");
        }
    }
    if (!usage || !value("prompt-tokens") || !value("completion-tokens")) {
        throw UsageError("reconcile: --prompt-tokens and --completion-tokens are needed");
    }
    return {{call, *usage, value("cost-usd").has_value()}};
}

std::vector<ToldUsage> told_usage_from_file(const std::string &path)
{
    const std::string text = read_file(path, largest_file);
    std::vector<ToldUsage> told;
    int64_t number = 0;
    for (const std::string_view line : split(text, '\n')) {
        ++number;
        if (trim(line).empty()) {
            continue;
        }
        try {
            const auto record = Json::try_parse(line);
            if (!record || !record->is_object()) {
                throw Error(ExitStatus::BadData,
                            "expected a JSON object, got '" + printable(line, 60) + "'");
            }
            told.push_back(told_usage_from_json(*record));
        } catch (const Error &error) {
            throw Error(error.status(), (path == "-" ? "standard input" : path) + ":" +
                                            std::to_string(number) + ": " + error.what() +
                                            "; nothing was reconciled");
        }
    }
    return told;
}

int64_t reconcile_usage(Sqlite &database, std::string_view run_id,
                        std::span<const ToldUsage> told, const PriceList &prices,
                        const Clock &clock)
{
    int64_t corrected = 0;
    in_transaction(database, [&] {
        static_cast<void>(show_budget(database, run_id, ""));
        for (const ToldUsage &each : told) {
            const Recorded recorded =
                read_call(database, find_call(database, run_id, each.call), each.call);
            if (recorded.reconciled) {
                if (!is_same(recorded.usage, each)) {
                    refuse(each.call, "it was reconciled with other figures before");
                }
                continue;
            }
            Usage usage = with_cached_input(recorded.usage, each.usage);
            usage.cost_microusd = cost_that_follows(recorded.usage, each, usage, prices);
            replace(database, recorded, usage, clock);
            ++corrected;
        }
    });
    return corrected;
}

} // namespace ap
