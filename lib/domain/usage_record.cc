#include "base/text.hh"
#include "domain/budget.hh"
#include "sys/path.hh"

#include <cmath>

namespace ap {

namespace {

constexpr double largest_usd = static_cast<double>(largest_amount) / 1e6;
constexpr size_t longest_text = 256;
constexpr size_t largest_file = 64 << 20;

[[noreturn]] void refuse(std::string_view member, std::string_view expected,
                         const Json &got)
{
    throw Error(ExitStatus::BadData, std::string(member) + ": expected " +
                                         std::string(expected) + ", got " +
                                         printable(got.dump(), 60));
}

// The member, or nothing if it is missing or null.
Json member(const Json &record, std::string_view name)
{
    const Json value = record.get(name);
    return value.is_null() ? Json() : value;
}

int64_t amount(const Json &record, std::string_view name)
{
    const Json value = member(record, name);
    if (!value) {
        return 0;
    }
    if (!value.is_integer() || value.as_integer() < 0 ||
        value.as_integer() > largest_amount) {
        refuse(name, "a whole number from 0 to " + std::to_string(largest_amount), value);
    }
    return value.as_integer();
}

// The count under the first of two names that the record has.
int64_t count(const Json &record, std::string_view name, std::string_view other)
{
    return amount(record, member(record, name) ? name : other);
}

std::string text(const Json &record, std::string_view name)
{
    const Json value = member(record, name);
    if (!value) {
        return {};
    }
    if (!value.is_string() || value.as_string().size() > longest_text) {
        refuse(name, "a string of at most 256 bytes", value);
    }
    return value.as_string();
}

bool flag(const Json &record, std::string_view name)
{
    const Json value = member(record, name);
    if (value && !value.is_boolean()) {
        refuse(name, "true or false", value);
    }
    return value && value.as_boolean();
}

int64_t cost(const Json &record)
{
    const Json dollars = member(record, "cost_usd");
    if (member(record, "cost_microusd") || !dollars) {
        return amount(record, "cost_microusd");
    }
    const double value = dollars.is_number() ? dollars.as_number() : -1;
    if (!(value >= 0 && value <= largest_usd)) {
        refuse("cost_usd", "a number from 0 to 1000000", dollars);
    }
    return std::llround(value * 1e6);
}

} // namespace

Usage usage_from_json(const Json &record)
{
    if (!record.is_object()) {
        throw Error(ExitStatus::BadData, "expected an object of usage, got " +
                                             std::string(record.type_name()));
    }
    if (!member(record, "prompt_tokens") && !member(record, "input_tokens") &&
        !member(record, "completion_tokens") && !member(record, "output_tokens")) {
        throw Error(ExitStatus::BadData,
                    "expected prompt_tokens or completion_tokens, got neither");
    }
    Usage usage;
    usage.provider = text(record, "provider");
    usage.model = text(record, "model");
    usage.prompt_tokens = count(record, "prompt_tokens", "input_tokens");
    usage.completion_tokens = count(record, "completion_tokens", "output_tokens");
    usage.cached_tokens = amount(record, "cached_tokens");
    usage.cache_write_tokens = amount(record, "cache_write_tokens");
    usage.reasoning_tokens = amount(record, "reasoning_tokens");
    usage.cost_microusd = cost(record);
    usage.duration_ms = amount(record, "duration_ms");
    usage.estimated = flag(record, "estimated");
    if (std::string id = text(record, "request_id"); !id.empty()) {
        usage.request_id = std::move(id);
    }
    return usage;
}

Json usage_to_json(const Usage &usage)
{
    Json record = Json::object();
    record.set("provider", usage.provider)
        .set("model", usage.model)
        .set("prompt_tokens", usage.prompt_tokens)
        .set("completion_tokens", usage.completion_tokens)
        .set("cached_tokens", usage.cached_tokens)
        .set("cache_write_tokens", usage.cache_write_tokens)
        .set("reasoning_tokens", usage.reasoning_tokens)
        .set("cost_microusd", usage.cost_microusd)
        .set("duration_ms", usage.duration_ms)
        .set("estimated", usage.estimated);
    if (usage.request_id) {
        record.set("request_id", *usage.request_id);
    }
    return record;
}

std::vector<Usage> usage_from_lines(std::string_view lines, std::string_view source)
{
    std::vector<Usage> records;
    int64_t number = 0;
    for (const std::string_view line : split(lines, '\n')) {
        number++;
        if (trim(line).empty()) {
            continue;
        }
        const std::string place = std::string(source) + ":" + std::to_string(number);
        const auto record = Json::try_parse(line);
        if (!record) {
            throw Error(ExitStatus::BadData, place + ": expected a JSON object, got '" +
                                                 printable(line, 60) + "'");
        }
        try {
            records.push_back(usage_from_json(*record));
        } catch (const Error &error) {
            throw Error(error.status(), place + ": " + error.what());
        }
    }
    return records;
}

std::vector<Usage> usage_from_file(const std::string &path)
{
    const std::string text = read_file(path, largest_file);
    try {
        return usage_from_lines(text, path == "-" ? "standard input" : path);
    } catch (const Error &error) {
        throw Error(error.status(), std::string(error.what()) + "; nothing was recorded");
    }
}

std::optional<int64_t> parse_usd(std::string_view amount)
{
    const auto dollars = parse_decimal(amount);
    return dollars && *dollars <= largest_usd
               ? std::optional<int64_t>(std::llround(*dollars * 1e6))
               : std::nullopt;
}

std::string format_usd(int64_t microusd)
{
    const std::string fraction = std::to_string(microusd % 1'000'000);
    const std::string padded = std::string(6 - fraction.size(), '0') + fraction;
    return "$" + std::to_string(microusd / 1'000'000) + "." + padded.substr(0, 4);
}

} // namespace ap
