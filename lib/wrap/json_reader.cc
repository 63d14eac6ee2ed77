#include "wrap/json_reader.hh"

#include "base/error.hh"
#include "base/text.hh"

#include <algorithm>

namespace ap {

namespace {

// A member's name as a token of a JSON pointer.
std::string escaped(std::string_view key)
{
    std::string token;
    for (const char letter : key) {
        token += letter == '~' ? "~0" : letter == '/' ? "~1" : std::string(1, letter);
    }
    return token;
}

} // namespace

JsonReader::JsonReader(const Json &value, std::string file, std::string pointer)
    : value_(value)
    , file_(std::move(file))
    , pointer_(std::move(pointer))
{
    if (!value_.is_object()) {
        refuse_at(pointer_, "an object", value_);
    }
}

Json JsonReader::take(std::string_view key)
{
    known_.emplace_back(key);
    return value_.get(key);
}

void JsonReader::refuse_at(const std::string &pointer, std::string_view expected,
                           const Json &got) const
{
    throw Error(ExitStatus::Config, file_ + ": " + (pointer.empty() ? "/" : pointer) +
                                        ": expected " + std::string(expected) + ", got " +
                                        (got ? printable(got.dump(), 80) : "nothing"));
}

void JsonReader::refuse(std::string_view key, std::string_view expected) const
{
    refuse_at(pointer_ + "/" + escaped(key), expected, value_.get(key));
}

std::optional<std::string> JsonReader::text(std::string_view key)
{
    const Json member = take(key);
    if (!member) {
        return std::nullopt;
    }
    if (!member.is_string()) {
        refuse(key, "a string");
    }
    return member.as_string();
}

std::string JsonReader::required_text(std::string_view key)
{
    const auto value = text(key);
    if (!value || value->empty()) {
        refuse(key, "a string");
    }
    return *value;
}

std::optional<int64_t> JsonReader::integer(std::string_view key, int64_t low,
                                           int64_t high)
{
    const Json member = take(key);
    if (!member) {
        return std::nullopt;
    }
    if (!member.is_integer() || member.as_integer() < low || member.as_integer() > high) {
        refuse(key, "a whole number from " + std::to_string(low) + " to " +
                        std::to_string(high));
    }
    return member.as_integer();
}

std::optional<bool> JsonReader::boolean(std::string_view key)
{
    const Json member = take(key);
    if (!member) {
        return std::nullopt;
    }
    if (!member.is_boolean()) {
        refuse(key, "true or false");
    }
    return member.as_boolean();
}

std::optional<std::vector<std::string>> JsonReader::texts(std::string_view key)
{
    const Json member = take(key);
    if (!member) {
        return std::nullopt;
    }
    std::vector<std::string> values;
    for (size_t i = 0; i < member.size(); i++) {
        if (!member.at(i).is_string()) {
            refuse(key, "an array of strings");
        }
        values.push_back(member.at(i).as_string());
    }
    if (!member.is_array()) {
        refuse(key, "an array of strings");
    }
    return values;
}

std::optional<std::vector<int64_t>> JsonReader::integers(std::string_view key,
                                                         int64_t low, int64_t high)
{
    const Json member = take(key);
    if (!member) {
        return std::nullopt;
    }
    const std::string expected = "an array of whole numbers from " + std::to_string(low) +
                                 " to " + std::to_string(high);
    std::vector<int64_t> values;
    for (size_t i = 0; i < member.size(); i++) {
        const Json each = member.at(i);
        if (!each.is_integer() || each.as_integer() < low || each.as_integer() > high) {
            refuse(key, expected);
        }
        values.push_back(each.as_integer());
    }
    if (!member.is_array()) {
        refuse(key, expected);
    }
    return values;
}

std::optional<std::chrono::milliseconds> JsonReader::duration(std::string_view key)
{
    const Json member = take(key);
    if (!member) {
        return std::nullopt;
    }
    const std::string written = member.is_string()    ? member.as_string()
                                : member.is_integer() ? member.dump()
                                                      : "";
    const auto length = parse_duration(written);
    if (!length) {
        refuse(key, "a duration such as \"90s\" or a number of seconds");
    }
    return length;
}

std::optional<JsonReader> JsonReader::object(std::string_view key)
{
    const Json member = take(key);
    if (!member) {
        return std::nullopt;
    }
    return JsonReader(member, file_, pointer_ + "/" + escaped(key));
}

std::vector<JsonReader> JsonReader::objects(std::string_view key,
                                            std::string_view short_for)
{
    const Json member = take(key);
    if (member && !member.is_array()) {
        refuse(key, "an array of objects");
    }
    std::vector<JsonReader> readers;
    for (size_t i = 0; i < member.size(); i++) {
        Json each = member.at(i);
        if (!short_for.empty() && each.is_string()) {
            each = Json::object().set(short_for, each.as_string());
        }
        readers.emplace_back(each, file_,
                             pointer_ + "/" + escaped(key) + "/" + std::to_string(i));
    }
    return readers;
}

bool JsonReader::is_null(std::string_view key)
{
    return take(key).is_null();
}

void JsonReader::done() const
{
    for (const std::string &key : value_.keys()) {
        if (std::find(known_.begin(), known_.end(), key) != known_.end()) {
            continue;
        }
        const std::vector<std::string_view> candidates(known_.begin(), known_.end());
        const auto meant = nearest(key, candidates);
        throw Error(ExitStatus::Config,
                    file_ + ": " + pointer_ + "/" + printable(escaped(key)) +
                        ": unknown member" +
                        (meant ? "; did you mean '" + std::string(*meant) + "'?" : ""));
    }
}

} // namespace ap
