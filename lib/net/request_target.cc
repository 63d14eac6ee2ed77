#include "net/request_target.hh"

#include "base/http_field.hh"
#include "base/text.hh"

#include <algorithm>

namespace ap {

namespace {

constexpr size_t most_fields = 64;

int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    const char letter = static_cast<char>(digit | 0x20);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

bool is_unreserved(char character)
{
    return (character >= 'a' && character <= 'z') ||
           (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') ||
           std::string_view("-._~").find(character) != std::string_view::npos;
}

// Whether a parameter of a coding gives it a weight of nothing (RFC 9110, 12.4.2).
bool refuses(std::string_view parameter)
{
    const std::string_view weight = trim(parameter);
    return (weight.starts_with("q=") || weight.starts_with("Q=")) &&
           parse_decimal(weight.substr(2)).value_or(0) == 0;
}

bool is_control(unsigned char byte)
{
    return (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f;
}

} // namespace

std::optional<std::string> decode_percent(std::string_view text, bool plus_is_blank)
{
    std::string decoded;
    decoded.reserve(text.size());
    for (size_t i = 0; i < text.size(); i++) {
        char byte = text[i];
        if (byte == '%') {
            const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
            const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return std::nullopt;
            }
            byte = static_cast<char>(high * 16 + low);
            i += 2;
        } else if (byte == '+' && plus_is_blank) {
            byte = ' ';
        }
        if (is_control(static_cast<unsigned char>(byte))) {
            return std::nullopt;
        }
        decoded += byte;
    }
    return decoded;
}

std::string encode_percent(std::string_view text)
{
    static constexpr std::string_view digits = "0123456789ABCDEF";
    std::string encoded;
    for (const char character : text) {
        if (is_unreserved(character)) {
            encoded += character;
        } else {
            const auto byte = static_cast<unsigned char>(character);
            encoded.append("%").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
        }
    }
    return encoded;
}

std::optional<std::vector<std::string>> split_path(std::string_view path)
{
    if (path.empty() || path.front() != '/') {
        return std::nullopt;
    }
    std::vector<std::string> pieces;
    if (path == "/") {
        return pieces;
    }
    for (const std::string_view piece : split(path.substr(1), '/')) {
        auto decoded = decode_percent(piece, false);
        if (!decoded || decoded->empty() || *decoded == "." || *decoded == ".." ||
            decoded->find('/') != std::string::npos) {
            return std::nullopt;
        }
        pieces.push_back(std::move(*decoded));
    }
    return pieces;
}

std::optional<std::map<std::string, std::string>> parse_form(std::string_view text)
{
    std::map<std::string, std::string> fields;
    if (text.empty()) {
        return fields;
    }
    for (const std::string_view field : split(text, '&')) {
        if (field.empty()) {
            continue;
        }
        const size_t equals = std::min(field.find('='), field.size());
        auto name = decode_percent(field.substr(0, equals), true);
        auto value =
            decode_percent(field.substr(std::min(equals + 1, field.size())), true);
        if (!name || !value || fields.size() == most_fields ||
            !fields.emplace(std::move(*name), std::move(*value)).second) {
            return std::nullopt;
        }
    }
    return fields;
}

std::optional<std::string_view> find_cookie(std::string_view cookies,
                                            std::string_view name)
{
    for (const std::string_view cookie : split(cookies, ';')) {
        const std::string_view pair = trim(cookie);
        const size_t equals = pair.find('=');
        if (equals != pair.npos && pair.substr(0, equals) == name) {
            return pair.substr(equals + 1);
        }
    }
    return std::nullopt;
}

RangeRequest read_range(std::optional<std::string_view> field, uint64_t size)
{
    using Kind = RangeRequest::Kind;
    constexpr std::string_view unit = "bytes=";
    // Several ranges may be answered with the whole body (RFC 9110, 14.2).
    if (!field || !field->starts_with(unit) || field->find(',') != field->npos) {
        return {};
    }
    const std::string_view range = trim(field->substr(unit.size()));
    const size_t dash = range.find('-');
    if (dash == range.npos) {
        return {};
    }
    const auto first = parse_integer(range.substr(0, dash), 0, INT64_MAX);
    const auto last = parse_integer(range.substr(dash + 1), 0, INT64_MAX);
    const bool has_last = dash + 1 < range.size();
    if ((!first && dash > 0) || (!last && has_last) || (!first && !last) ||
        (first && last && *last < *first)) {
        return {};
    }
    if (!first) {
        const auto count = std::min<uint64_t>(static_cast<uint64_t>(*last), size);
        return count == 0 ? RangeRequest{Kind::Unsatisfiable, {}}
                          : RangeRequest{Kind::Part, {size - count, size - 1}};
    }
    const auto begin = static_cast<uint64_t>(*first);
    if (begin >= size) {
        return {Kind::Unsatisfiable, {}};
    }
    const uint64_t end = last ? static_cast<uint64_t>(*last) : size - 1;
    return {Kind::Part, {begin, std::min(end, size - 1)}};
}

bool accepts_gzip(std::optional<std::string_view> field)
{
    bool by_any = false;
    for (const std::string_view choice : split(field.value_or(""), ',')) {
        const std::vector<std::string_view> parts = split(choice, ';');
        const std::string_view coding = trim(parts.front());
        const bool allowed = std::none_of(parts.begin() + 1, parts.end(), refuses);
        if (same_field_name(coding, "gzip") || same_field_name(coding, "x-gzip")) {
            return allowed;
        }
        by_any |= coding == "*" && allowed;
    }
    return by_any;
}

} // namespace ap
