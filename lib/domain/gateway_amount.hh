#pragma once

#include "domain/budget.hh"
#include "domain/prices.hh"

#include <algorithm>
#include <cstdint>

namespace ap {

/// Tokens and the money that goes with them, which are always reserved together.
struct Amount
{
    int64_t tokens = 0;
    int64_t microusd = 0;

    bool operator==(const Amount &) const = default;
};

constexpr Amount operator+(Amount a, Amount b) noexcept
{
    return {a.tokens + b.tokens, a.microusd + b.microusd};
}
constexpr Amount operator-(Amount a, Amount b) noexcept
{
    return {a.tokens - b.tokens, a.microusd - b.microusd};
}
constexpr Amount operator*(Amount a, int64_t times) noexcept
{
    return {a.tokens * times, a.microusd * times};
}
constexpr Amount operator/(Amount a, int64_t parts) noexcept
{
    return {a.tokens / parts, a.microusd / parts};
}
constexpr Amount least_of(Amount a, Amount b) noexcept
{
    return {std::min(a.tokens, b.tokens), std::min(a.microusd, b.microusd)};
}

constexpr Amount most_of(Amount a, Amount b) noexcept
{
    return {std::max(a.tokens, b.tokens), std::max(a.microusd, b.microusd)};
}

/// Each part, or 0 where it is below.
constexpr Amount positive(Amount a) noexcept
{
    return {std::max<int64_t>(0, a.tokens), std::max<int64_t>(0, a.microusd)};
}

constexpr bool covers(Amount have, Amount need) noexcept
{
    return have.tokens >= need.tokens && have.microusd >= need.microusd;
}

/// What a call of so much input and output may come to; no facts: tokens only.
inline Amount amount_of(const ModelFacts *facts, int64_t input, int64_t output) noexcept
{
    return {input + output, facts == nullptr ? 0 : cost_bound(*facts, input, output)};
}

/// What usage came to.
inline Amount amount_of(const Usage &usage) noexcept
{
    return {usage.prompt_tokens + usage.completion_tokens, usage.cost_microusd};
}

} // namespace ap
