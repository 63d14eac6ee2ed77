#include "domain/breaker_config.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/breaker_rules.hh"

#include <array>
#include <charconv>

namespace ap {

namespace {

using Config = BreakerConfig;

constexpr double most_count = 1'000'000;
constexpr double most_window = most_window_calls;
constexpr double longest_ms = 7 * 86'400'000;

constexpr BreakerField fields[] = {
    {"failure_threshold", "failure-threshold", &Config::failure_threshold, nullptr, 0,
     most_count},
    {"success_threshold", "success-threshold", &Config::success_threshold, nullptr, 1,
     most_count},
    {"open_ms", "open-for", &Config::open_ms, nullptr, 1, longest_ms},
    {"probe_ms", "probe-for", &Config::probe_ms, nullptr, 1, longest_ms},
    {"backoff_factor", "backoff-factor", nullptr, &Config::backoff_factor, 1.0, 100.0},
    {"longest_open_ms", "longest-open", &Config::longest_open_ms, nullptr, 1, longest_ms},
    {"half_open_probes", "half-open-probes", &Config::half_open_probes, nullptr, 1, 1000},
    {"window_calls", "window-calls", &Config::window_calls, nullptr, 0, most_window},
    {"window_ms", "window", &Config::window_ms, nullptr, 0, longest_ms},
    {"minimum_calls", "minimum-calls", &Config::minimum_calls, nullptr, 1, most_window},
    {"failure_rate", "failure-rate", nullptr, &Config::failure_rate, 0.01, 1.0},
    {"slow_rate", "slow-rate", nullptr, &Config::slow_rate, 0.01, 1.0},
    {"slow_ms", "slow-after", &Config::slow_ms, nullptr, 0, longest_ms},
};

bool is_time(const BreakerField &field)
{
    return field.name.ends_with("_ms");
}

std::string shown(double value)
{
    std::array<char, 400> text{}; // enough for the largest double
    const auto written = std::to_chars(text.data(), text.data() + text.size(), value,
                                       std::chars_format::fixed);
    return {text.data(), written.ptr};
}

} // namespace

std::span<const BreakerField> breaker_fields()
{
    return fields;
}

void set_breaker_field(BreakerConfig &config, const BreakerField &field,
                       std::string_view text)
{
    const auto require = [&](const auto &value, std::string_view expected) {
        if (!value) {
            throw UsageError("--" + std::string(field.setting) + ": expected " +
                             std::string(expected) + ", got '" + printable(text) + "'");
        }
        return *value;
    };
    if (field.real != nullptr) {
        config.*field.real = require(parse_decimal(text), "a number");
    } else if (is_time(field)) {
        config.*field.integer =
            require(parse_duration(text), "a duration such as 90s").count();
    } else {
        config.*field.integer = require(parse_integer(text, 0, INT64_MAX), "a number");
    }
}

std::string breaker_field_text(const BreakerConfig &config, const BreakerField &field)
{
    if (field.real != nullptr) {
        return shown(config.*field.real);
    }
    const int64_t value = config.*field.integer;
    return is_time(field) ? format_duration(std::chrono::milliseconds(value))
                          : std::to_string(value);
}

void check_breaker_config(const BreakerConfig &config)
{
    for (const BreakerField &field : fields) {
        const double value = field.integer != nullptr
                                 ? static_cast<double>(config.*field.integer)
                                 : config.*field.real;
        // Written so that NaN is refused too.
        if (!(value >= field.low && value <= field.high)) {
            throw Error(ExitStatus::BadData,
                        std::string(field.name) + ": expected " + shown(field.low) +
                            " to " + shown(field.high) + ", got " + shown(value));
        }
    }
    if (config.longest_open_ms < config.open_ms) {
        throw Error(ExitStatus::BadData, "longest_open_ms: expected at least open_ms, " +
                                             std::to_string(config.open_ms) + ", got " +
                                             std::to_string(config.longest_open_ms));
    }
    if (config.window_calls > 0 && config.window_ms > 0) {
        throw Error(ExitStatus::BadData, "window_ms: expected 0 beside window_calls " +
                                             std::to_string(config.window_calls) +
                                             ", got " + std::to_string(config.window_ms));
    }
}

Json breaker_config_to_json(const BreakerConfig &config)
{
    Json json = Json::object();
    for (const BreakerField &field : fields) {
        json.set(field.name, field.integer != nullptr
                                 ? Json::integer(config.*field.integer)
                                 : Json::real(config.*field.real));
    }
    return json;
}

BreakerConfig breaker_config_from_json(std::string_view text)
{
    const Json json = Json::parse(text, "breaker configuration");
    BreakerConfig config;
    for (const BreakerField &field : fields) {
        const Json value = json.get(field.name);
        if (field.integer != nullptr && value.is_integer()) {
            config.*field.integer = value.as_integer();
        } else if (field.real != nullptr && value.is_number()) {
            config.*field.real = value.as_number();
        }
    }
    return config;
}

} // namespace ap
