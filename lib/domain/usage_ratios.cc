#include "domain/usage_ratios.hh"

#include <array>
#include <optional>
#include <utility>

namespace ap {

namespace {

constexpr std::array<Dialect, 6> metered = {
    Dialect::AnthropicMessages, Dialect::OpenAiChat,     Dialect::OpenAiResponses,
    Dialect::OpenAiEmbeddings,  Dialect::GeminiGenerate, Dialect::GeminiStream};

std::optional<Dialect> dialect_of(std::string_view name)
{
    for (const Dialect dialect : metered) {
        if (dialect_name(dialect) == name) {
            return dialect;
        }
    }
    return std::nullopt;
}

} // namespace

void UsageRatios::add(Dialect dialect, std::string_view model, const CallSample &sample)
{
    auto found = models_.find(std::pair(dialect, model));
    if (found == models_.end()) {
        if (models_.size() >= most_models) {
            return;
        }
        found = models_.try_emplace(Key(dialect, model)).first;
    }
    found->second.ratios.add(sample);
    found->second.changed = true;
}

const CallRatios *UsageRatios::find(Dialect dialect, std::string_view model) const
{
    const auto found = models_.find(std::pair(dialect, model));
    return found == models_.end() ? nullptr : &found->second.ratios;
}

void UsageRatios::load(Sqlite &database)
{
    models_.clear();
    Statement query = database.prepare("SELECT dialect, model, samples FROM model_ratios "
                                       "ORDER BY saved_at DESC LIMIT ?1");
    query.bind_all(static_cast<int64_t>(most_models));
    while (query.step()) {
        if (const auto dialect = dialect_of(query.text(0))) {
            models_[Key(*dialect, query.text(1))].ratios =
                CallRatios::from_text(query.text(2));
        }
    }
}

UsageRatios::Changed UsageRatios::take_changed()
{
    Changed changed;
    for (auto &[key, entry] : models_) {
        if (std::exchange(entry.changed, false)) {
            changed.emplace_back(key, entry.ratios);
        }
    }
    return changed;
}

CallRatios UsageRatios::stored(Sqlite &database, Dialect dialect, std::string_view model)
{
    Statement query = database.prepare(
        "SELECT samples FROM model_ratios WHERE dialect = ?1 AND model = ?2");
    query.bind_all(dialect_name(dialect), model);
    return query.step() ? CallRatios::from_text(query.text(0)) : CallRatios();
}

void UsageRatios::learn(Sqlite &database, Dialect dialect, std::string_view model,
                        const CallSample &sample)
{
    in_transaction(database, [&] {
        CallRatios ratios = stored(database, dialect, model);
        ratios.add(sample);
        save(database, {{Key(dialect, model), ratios}});
    });
}

void UsageRatios::save(Sqlite &database, const Changed &changed)
{
    Statement write = database.prepare(
        "INSERT INTO model_ratios VALUES (?1, ?2, ?3, unixepoch() * 1000) "
        "ON CONFLICT DO UPDATE SET samples = excluded.samples, "
        "saved_at = excluded.saved_at");
    for (const auto &[key, ratios] : changed) {
        write.bind_all(dialect_name(key.first), key.second, ratios.to_text()).run();
    }
}

} // namespace ap
