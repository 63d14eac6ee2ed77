#include "base/text.hh"

#include "base/error.hh"

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <utility>

namespace ap {

namespace {

constexpr std::string_view blanks = " \t\r\n";
constexpr std::string_view hexadecimal = "0123456789abcdef";
constexpr double longest_duration_ms = 366.0 * 24 * 3600 * 1000;

bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Letters added, removed or replaced, and neighbours swapped, the commonest slip of all.
size_t edit_distance(std::string_view a, std::string_view b)
{
    std::vector<size_t> before;
    std::vector<size_t> above(b.size() + 1);
    std::iota(above.begin(), above.end(), size_t{0});
    for (size_t i = 1; i <= a.size(); i++) {
        std::vector<size_t> row(b.size() + 1, i);
        for (size_t j = 1; j <= b.size(); j++) {
            const size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before[j - 2] + 1);
            }
        }
        before = std::exchange(above, std::move(row));
    }
    return above[b.size()];
}

std::string two_digits(int64_t value)
{
    return (value < 10 ? "0" : "") + std::to_string(value);
}

// One decimal, as printf's %.1f rounds it.
std::string one_decimal(double value)
{
    std::array<char, 32> digits{};
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(),
                                            value, std::chars_format::fixed, 1);
    return error == std::errc() ? std::string(digits.data(), end) : std::string();
}

// The low byte of U+20xx if the three bytes are one of the marks that turn the direction
// of writing (U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069); 0 otherwise.
unsigned direction_mark(unsigned first, unsigned second, unsigned third)
{
    if (first != 0xe2 || (second != 0x80 && second != 0x81)) {
        return 0;
    }
    const unsigned low = ((second & 1U) << 6U) | (third & 0x3fU);
    const bool turns = low == 0x0e || low == 0x0f || (low >= 0x2a && low <= 0x2e) ||
                       (low >= 0x66 && low <= 0x69);
    return (third & 0xc0U) == 0x80 && turns ? low : 0;
}

} // namespace

std::string_view trim(std::string_view text)
{
    const size_t first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator)
{
    std::vector<std::string_view> pieces;
    size_t start = 0;
    for (size_t end = 0; (end = text.find(separator, start)) != std::string_view::npos;
         start = end + 1) {
        pieces.push_back(text.substr(start, end - start));
    }
    pieces.push_back(text.substr(start));
    return pieces;
}

std::vector<std::string_view> lines_of(std::string_view text)
{
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const size_t end = text.find('\n');
        lines.push_back(text.substr(0, end == std::string_view::npos ? end : end + 1));
        text.remove_prefix(lines.back().size());
    }
    return lines;
}

std::string join(std::span<const std::string> items, std::string_view separator)
{
    std::string joined;
    for (const std::string &item : items) {
        if (&item != &items.front()) {
            joined += separator;
        }
        joined += item;
    }
    return joined;
}

std::string alternatives(std::span<const std::string_view> values)
{
    std::string text(values.front());
    for (size_t i = 1; i < values.size(); i++) {
        text.append(i + 1 == values.size() ? " or " : ", ").append(values[i]);
    }
    return text;
}

std::optional<int64_t> parse_integer(std::string_view text, int64_t low, int64_t high)
{
    int64_t value = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < low ||
        value > high) {
        return std::nullopt;
    }
    return value;
}

int64_t require_integer(std::string_view text, int64_t low, int64_t high,
                        std::string_view what)
{
    const auto value = parse_integer(text, low, high);
    if (!value) {
        throw Error(ExitStatus::BadData,
                    std::string(what) + ": expected a whole number from " +
                        std::to_string(low) + " to " + std::to_string(high) + ", got '" +
                        printable(text) + "'");
    }
    return *value;
}

std::optional<double> parse_decimal(std::string_view text)
{
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(),
                                              value, std::chars_format::fixed);
    if (error != std::errc() || end != text.data() + text.size() ||
        !(value >= 0 && value < 1e9)) {
        return std::nullopt;
    }
    return value;
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text)
{
    struct Unit
    {
        std::string_view name;
        double milliseconds;
    };
    static constexpr Unit units[] = {{"ms", 1},       {"s", 1000},      {"m", 60'000},
                                     {"h", 3600'000}, {"d", 86400'000}, {"", 1000}};
    const size_t digits_end = text.find_last_of("0123456789.");
    if (digits_end == std::string_view::npos) {
        return std::nullopt;
    }
    const auto number = parse_decimal(text.substr(0, digits_end + 1));
    const std::string_view unit_name = text.substr(digits_end + 1);
    const auto *unit = std::find_if(std::begin(units), std::end(units),
                                    [&](const Unit &u) { return u.name == unit_name; });
    if (!number || unit == std::end(units) ||
        *number * unit->milliseconds > longest_duration_ms) {
        return std::nullopt;
    }
    return std::chrono::milliseconds(static_cast<int64_t>(*number * unit->milliseconds));
}

std::string format_duration(std::chrono::milliseconds length)
{
    const int64_t ms = length.count();
    const int64_t s = ms / 1000;
    if (ms < 1000) {
        return std::to_string(ms) + "ms";
    }
    if (s < 60) {
        return std::to_string(s) + "s";
    }
    if (s < 3600) {
        return std::to_string(s / 60) + "m" + two_digits(s % 60) + "s";
    }
    if (s < 86400) {
        return std::to_string(s / 3600) + "h" + two_digits(s / 60 % 60) + "m";
    }
    return std::to_string(s / 86400) + "d" + two_digits(s / 3600 % 24) + "h";
}

std::string format_count(int64_t count)
{
    if (count < 1000) {
        return std::to_string(count);
    }
    // From here on one decimal would round to 1000.0k.
    if (count < 999'950) {
        return one_decimal(static_cast<double>(count) / 1e3) + "k";
    }
    return one_decimal(static_cast<double>(count) / 1e6) + "M";
}

bool is_identifier(std::string_view text)
{
    return !text.empty() && text.size() <= 128 && is_alphanumeric(text.front()) &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return is_alphanumeric(c) || c == '.' || c == '_' || c == '-';
           });
}

std::string printable(std::string_view text, size_t limit)
{
    std::string shown;
    for (const char c : text.substr(0, limit)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 32 || byte > 126 || c == '\\') {
            shown += "\\x";
            shown += hexadecimal[byte >> 4U];
            shown += hexadecimal[byte & 0xfU];
        } else {
            shown += c;
        }
    }
    if (text.size() > limit) {
        shown += "...";
    }
    return shown;
}

std::string visible_lines(std::string_view text)
{
    const auto byte_at = [&](size_t at) {
        return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
    };
    std::string shown;
    for (size_t at = 0; at < text.size(); at++) {
        const unsigned byte = byte_at(at);
        const bool is_c1 =
            byte == 0xc2 && byte_at(at + 1) >= 0x80 && byte_at(at + 1) <= 0x9f;
        const unsigned mark = direction_mark(byte, byte_at(at + 1), byte_at(at + 2));
        if (mark != 0) {
            shown += std::string("\\u20") + hexadecimal[(mark >> 4U) & 0xfU] +
                     hexadecimal[mark & 0xfU];
            at += 2;
        } else if (is_c1 || (byte < 32 && byte != '\n' && byte != '\t') || byte == 127) {
            at += is_c1 ? 1 : 0;
            shown += std::string("\\x") + hexadecimal[byte_at(at) >> 4U] +
                     hexadecimal[byte_at(at) & 0xfU];
        } else {
            shown += text[at];
        }
    }
    return shown;
}

std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> candidates)
{
    std::optional<std::string_view> best;
    size_t best_distance = 0;
    for (const std::string_view candidate : candidates) {
        const size_t distance = edit_distance(word, candidate);
        const size_t allowed =
            std::max<size_t>(1, std::max(word.size(), candidate.size()) / 3);
        if (distance <= allowed && (!best || distance < best_distance)) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

} // namespace ap
