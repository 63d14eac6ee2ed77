#pragma once

#include "domain/breaker.hh"

#include <span>
#include <string>
#include <string_view>

namespace ap {

/// One field of BreakerConfig: its name, its name for people (the option of `ap-breaker
/// set`), the member it is (`integer` or `real`, the other is null), and its range. A
/// name that ends in "_ms" is a length of time.
struct BreakerField
{
    std::string_view name;
    std::string_view setting;
    int64_t BreakerConfig::*integer;
    double BreakerConfig::*real;
    double low;
    double high;
};

/// All fields in the order of the structure.
std::span<const BreakerField> breaker_fields();

/// Sets a field from what a person wrote (a duration, decimal or whole number) without
/// looking at its range. UsageError naming the option if it is not of that form.
void set_breaker_field(BreakerConfig &config, const BreakerField &field,
                       std::string_view text);

/// A field's value for people.
std::string breaker_field_text(const BreakerConfig &config, const BreakerField &field);

/// Throws Error(BadData) naming the first field that is out of range.
void check_breaker_config(const BreakerConfig &config);

Json breaker_config_to_json(const BreakerConfig &config);

/// Reads what breaker_config_to_json() wrote; a field that is missing has its default.
BreakerConfig breaker_config_from_json(std::string_view text);

} // namespace ap
