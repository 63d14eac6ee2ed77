#pragma once

#include "domain/budget.hh"
#include "wrap/json.hh"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// What one model's tokens cost, in micro-dollars per million tokens (which is the same
/// number as micro-micro-dollars a token: $3 a million tokens is 3,000,000).
struct Price
{
    int64_t input = 0;            ///< input neither read from nor written to a cache
    int64_t cached = 0;           ///< input read from a cache
    int64_t cache_write = 0;      ///< input written to a cache
    int64_t cache_write_long = 0; ///< input written to a cache that keeps it for an hour
    int64_t output = 0;           ///< reasoning included
};

/// What the list knows of a model.
struct ModelFacts
{
    Price price;
    /// Prices for a call whose whole input is above `long_input` tokens; equal to `price`
    /// where the provider makes no such difference.
    Price long_price;
    int64_t long_input = 0;            ///< 0: no such threshold
    std::optional<int64_t> max_output; ///< the most tokens one answer can have

    /// The price that holds for an input of that many tokens.
    const Price &price_for(int64_t input_tokens) const noexcept;
};

/// Models and what they cost, from an editable JSON file:
///
///     {"models": {"claude-sonnet-4": {"input": 3, "cached": 0.3, "cache_write": 3.75,
///         "cache_write_long": 6, "output": 15, "max_output": 64000,
///         "above": {"input_tokens": 200000, "input": 6, ...}}}}
///
/// Prices are dollars per million tokens with at most six decimals. What is left out:
/// cached is input, cache_write is input, cache_write_long is cache_write; in "above",
/// the price below. The longest name that the asked-for one starts with is taken, if that
/// goes on with '-', ':' or '@': "claude-sonnet-4" is also the price of
/// "claude-sonnet-4-20250514", "gpt-5" is not that of "gpt-5.9".
class PriceList
{
public:
    /// An empty list: every model is unknown.
    PriceList() = default;

    /// Throws Error(BadData) naming model and member for a wrong type or range.
    static PriceList from_json(const Json &json, std::string_view source);

    /// Reads the file at `path`; throws as from_json, or SystemError.
    static PriceList load(const std::string &path);

    /// The facts for a model, or nothing if no name of the list is its beginning. A
    /// leading "models/" (Gemini) or "PROVIDER/" is also tried without.
    const ModelFacts *find(std::string_view model) const noexcept;

    size_t size() const noexcept { return models_.size(); }

private:
    struct Entry
    {
        std::string name;
        ModelFacts facts;
    };
    std::vector<Entry> models_; ///< sorted by name

    const ModelFacts *longest_prefix(std::string_view model) const noexcept;
};

/// What the usage costs in micro-dollars, rounded up once for the whole call.
/// `cache_write_long` is the part of usage.cache_write_tokens kept for an hour.
int64_t cost_of(const ModelFacts &facts, const Usage &usage,
                int64_t cache_write_long = 0);

/// The most that a call of so much input and output can cost, in micro-dollars, rounded
/// up: input at its dearest (written to a cache), the higher of the two price levels.
/// Never below cost_of() of a usage within the two bounds.
int64_t cost_bound(const ModelFacts &facts, int64_t input_tokens, int64_t output_tokens);

} // namespace ap
