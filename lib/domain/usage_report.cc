#include "domain/usage_report.hh"

#include <algorithm>
#include <map>

namespace ap {

namespace {

UsageSums read_sums(const Statement &row, int column)
{
    return {row.integer(column), row.integer(column + 1), row.integer(column + 2),
            row.integer(column + 3), row.integer(column + 4)};
}

} // namespace

UsageSums &UsageSums::operator+=(const UsageSums &other) noexcept
{
    calls += other.calls;
    prompt_tokens += other.prompt_tokens;
    completion_tokens += other.completion_tokens;
    cached_tokens += other.cached_tokens;
    cost_microusd += other.cost_microusd;
    return *this;
}

std::vector<ModelUsage> usage_over_time(Sqlite &database, UnixMs from, UnixMs until,
                                        int64_t step_ms)
{
    Statement rows = database.prepare(
        "SELECT hour_at - hour_at % ?3 AS at, model, sum(calls), sum(prompt_tokens), "
        "sum(completion_tokens), sum(cached_tokens), sum(cost_microusd) "
        "FROM usage_hours WHERE hour_at >= ?1 AND hour_at < ?2 GROUP BY at, model");
    rows.bind_all(from, until, step_ms);
    std::vector<ModelUsage> list;
    while (rows.step()) {
        list.push_back(
            {rows.integer(0), {}, std::string(rows.text(1)), read_sums(rows, 2)});
    }
    return list;
}

std::vector<ModelUsage> usage_of_run(Sqlite &database, std::string_view run_id)
{
    Statement rows = database.prepare(
        "SELECT phase_id, model, calls, prompt_tokens, completion_tokens, cached_tokens, "
        "cost_microusd FROM usage_models WHERE run_id = ?1 ORDER BY phase_id, model");
    rows.bind_all(run_id);
    std::vector<ModelUsage> list;
    while (rows.step()) {
        list.push_back({0, std::string(rows.text(0)), std::string(rows.text(1)),
                        read_sums(rows, 2)});
    }
    return list;
}

std::vector<ModelUsage> sum_by_model(const std::vector<ModelUsage> &list)
{
    std::map<std::string, UsageSums> by_model;
    for (const ModelUsage &usage : list) {
        by_model[usage.model] += usage.sums;
    }
    std::vector<ModelUsage> sums;
    sums.reserve(by_model.size());
    for (const auto &[model, sum] : by_model) {
        sums.push_back({0, {}, model, sum});
    }
    std::stable_sort(sums.begin(), sums.end(),
                     [](const ModelUsage &one, const ModelUsage &other) {
                         return one.sums.tokens() > other.sums.tokens();
                     });
    return sums;
}

Json usage_sums_to_json(const UsageSums &sums)
{
    return Json::object()
        .set("calls", sums.calls)
        .set("prompt_tokens", sums.prompt_tokens)
        .set("completion_tokens", sums.completion_tokens)
        .set("cached_tokens", sums.cached_tokens)
        .set("tokens", sums.tokens())
        .set("cost_microusd", sums.cost_microusd);
}

} // namespace ap
