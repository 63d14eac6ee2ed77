#include "domain/plan_reader.hh"

#include "base/text.hh"
#include "domain/budget.hh"
#include "domain/plan_positions.hh"

#include <algorithm>
#include <cmath>

namespace ap {

namespace {

using std::chrono::milliseconds;

constexpr size_t longest_label = 200;
constexpr double microusd_per_usd = 1e6;

// A value as a message shows it: scalars as they are, the rest by their type.
std::string shown(const Json &value)
{
    if (!value) {
        return "nothing";
    }
    if (value.is_string()) {
        return "\"" + printable(value.as_string(), 60) + "\"";
    }
    if (value.is_object() || value.is_array()) {
        return "an " + std::string(value.type_name());
    }
    return printable(value.dump(), 60);
}

std::string shown_number(double value)
{
    return Json::real(value).dump();
}

std::optional<milliseconds> duration_of(const Json &value)
{
    if (value.is_string()) {
        return parse_duration(value.as_string());
    }
    if (!value.is_number()) {
        return std::nullopt;
    }
    constexpr double longest_s = 366.0 * 24 * 3600;
    const double seconds = value.as_number();
    if (!(seconds >= 0 && seconds <= longest_s)) {
        return std::nullopt;
    }
    return milliseconds(std::llround(seconds * 1000));
}

} // namespace

void PlanFaults::add(std::string pointer, std::string message)
{
    found_.emplace_back(std::move(pointer), std::move(message));
}

void PlanFaults::expected(std::string pointer, std::string_view what, const Json &got)
{
    add(std::move(pointer), "expected " + std::string(what) + ", got " + shown(got));
}

std::string PlanFaults::first() const
{
    return found_.front().first + ": " + found_.front().second;
}

std::vector<PlanError::Fault> PlanFaults::located(std::string_view text) const
{
    std::unordered_map<std::string, TextPosition> positions;
    for (const auto &[pointer, message] : found_) {
        positions.try_emplace(pointer);
    }
    locate_pointers(text, positions);
    auto ordered = found_;
    std::stable_sort(ordered.begin(), ordered.end(), [&](const auto &a, const auto &b) {
        return positions[a.first].offset < positions[b.first].offset;
    });
    std::vector<PlanError::Fault> faults;
    faults.reserve(ordered.size());
    for (auto &[pointer, message] : ordered) {
        const int line = positions[pointer].line;
        faults.push_back({line, std::move(pointer), std::move(message)});
    }
    return faults;
}

ObjectReader::ObjectReader(Json object, std::string pointer,
                           std::span<const std::string_view> members, PlanFaults &faults)
    : object_(std::move(object))
    , pointer_(std::move(pointer))
    , faults_(faults)
{
    if (!object_.is_object()) {
        faults_.expected(pointer_, "an object", object_);
        return;
    }
    for (const std::string &key : object_.keys()) {
        if (std::find(members.begin(), members.end(), key) != members.end()) {
            continue;
        }
        const auto like = nearest(key, members);
        faults_.add(pointer_to(key),
                    "unknown member \"" + printable(key, 60) + "\"" +
                        (like ? "; did you mean \"" + std::string(*like) + "\"?" : ""));
    }
}

void ObjectReader::require(std::string_view name)
{
    if (object_.is_object() && !has(name)) {
        faults_.add(pointer_,
                    "expected a member \"" + std::string(name) + "\", got none");
    }
}

std::string ObjectReader::pointer_to(std::string_view name) const
{
    return json_pointer(pointer_, name);
}

void ObjectReader::wrong(std::string_view name, std::string_view what)
{
    faults_.expected(pointer_to(name), what, get(name));
}

std::optional<std::string> ObjectReader::text(std::string_view name)
{
    const Json value = get(name);
    if (!value) {
        return std::nullopt;
    }
    if (!value.is_string()) {
        wrong(name, "a string");
        return std::nullopt;
    }
    return value.as_string();
}

std::optional<std::string> ObjectReader::label(std::string_view name)
{
    auto value = text(name);
    if (!value) {
        return std::nullopt;
    }
    const bool is_plain = std::all_of(value->begin(), value->end(), [](char c) {
        return static_cast<unsigned char>(c) >= 32 && c != 127;
    });
    if (value->empty() || value->size() > longest_label || !is_plain) {
        wrong(name, "one line of 1 to 200 bytes");
        return std::nullopt;
    }
    return value;
}

std::optional<std::string> ObjectReader::identifier(std::string_view name)
{
    auto value = text(name);
    if (value && !is_identifier(*value)) {
        wrong(name, "1 to 128 letters, digits, '.', '_' and '-', starting with a letter "
                    "or digit");
        return std::nullopt;
    }
    return value;
}

std::optional<size_t> ObjectReader::choice(std::string_view name,
                                           std::span<const std::string_view> values)
{
    const auto value = text(name);
    if (!value) {
        return std::nullopt;
    }
    const auto found = std::find(values.begin(), values.end(), *value);
    if (found == values.end()) {
        wrong(name, alternatives(values));
        return std::nullopt;
    }
    return static_cast<size_t>(found - values.begin());
}

std::optional<int64_t> ObjectReader::integer(std::string_view name, int64_t low,
                                             int64_t high)
{
    const Json value = get(name);
    if (!value) {
        return std::nullopt;
    }
    if (!value.is_integer() || value.as_integer() < low || value.as_integer() > high) {
        wrong(name, "a whole number from " + std::to_string(low) + " to " +
                        std::to_string(high));
        return std::nullopt;
    }
    return value.as_integer();
}

std::optional<double> ObjectReader::number(std::string_view name, double low, double high)
{
    const Json value = get(name);
    if (!value) {
        return std::nullopt;
    }
    if (!value.is_number() || !(value.as_number() >= low && value.as_number() <= high)) {
        wrong(name, "a number from " + shown_number(low) + " to " + shown_number(high));
        return std::nullopt;
    }
    return value.as_number();
}

std::optional<milliseconds> ObjectReader::duration(std::string_view name,
                                                   milliseconds least)
{
    const Json value = get(name);
    if (!value) {
        return std::nullopt;
    }
    const auto length = duration_of(value);
    if (!length) {
        wrong(name, "a duration such as \"90s\"");
        return std::nullopt;
    }
    if (*length < least) {
        wrong(name, "a duration of at least " + format_duration(least));
        return std::nullopt;
    }
    return length;
}

std::optional<int64_t> ObjectReader::dollars(std::string_view name)
{
    const auto amount = number(name, 0, largest_amount / microusd_per_usd);
    return amount ? std::optional<int64_t>(std::llround(*amount * microusd_per_usd))
                  : std::nullopt;
}

std::vector<std::string> ObjectReader::strings(std::string_view name,
                                               std::string_view what,
                                               bool (*is_fit)(std::string_view))
{
    std::vector<std::string> items;
    const Json value = get(name);
    if (value && !value.is_array()) {
        wrong(name, "an array of strings");
    }
    if (!value.is_array()) {
        return items;
    }
    for (size_t i = 0; i < value.size(); i++) {
        const Json item = value.at(i);
        std::string text = item.is_string() ? item.as_string() : std::string();
        if (!item.is_string() || !is_fit(text)) {
            faults_.expected(json_pointer(pointer_to(name), i), what, item);
            text.clear();
        }
        items.push_back(std::move(text));
    }
    return items;
}

} // namespace ap
