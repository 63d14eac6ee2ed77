#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// `text` without leading and trailing blanks (space, tab, CR, LF).
std::string_view trim(std::string_view text);

/// The pieces of `text` between separators; n separators give n + 1 pieces, empty ones
/// included. The pieces point into `text`.
std::vector<std::string_view> split(std::string_view text, char separator);

/// The lines of `text`, each with its newline, which the last may lack; they point into
/// `text`.
std::vector<std::string_view> lines_of(std::string_view text);

/// `items` with `separator` between them.
std::string join(std::span<const std::string> items, std::string_view separator);

/// "a, b or c", for messages that say what is allowed; `values` has one at least.
std::string alternatives(std::span<const std::string_view> values);

/// A whole decimal number within [low, high]; nothing for anything else, blanks included.
std::optional<int64_t> parse_integer(std::string_view text, int64_t low, int64_t high);

/// As parse_integer, but throws Error(BadData) "`what`: expected a whole number from
/// LOW to HIGH, got 'TEXT'".
int64_t require_integer(std::string_view text, int64_t low, int64_t high,
                        std::string_view what);

/// A non-negative decimal number such as "0.5", below 1e9; nothing for anything else.
std::optional<double> parse_decimal(std::string_view text);

/// A length of time: a decimal number with an optional unit ms, s, m, h or d; seconds
/// without one. At most 366 days; nothing for anything else.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// A length of time for people: "850ms", "12s", "3m07s", "2h05m", "4d03h".
std::string format_duration(std::chrono::milliseconds length);

/// A count for people: 950, 12.3k, 4.5M.
std::string format_count(int64_t count);

/// Whether `text` may name a run, tier, phase or breaker: 1 to 128 of letters, digits,
/// '.', '_' and '-', starting with a letter or digit. Such a name is safe as a file name.
bool is_identifier(std::string_view text);

/// `text` with control characters, backslash and bytes above 126 as \xHH, at most `limit`
/// bytes of it, so that a message stays one line.
std::string printable(std::string_view text, size_t limit = 200);

/// Text of several lines with what could deceive its reader made visible: control
/// characters but newline and tab as \xHH, and the marks that turn the direction of
/// writing as \uHHHH.
std::string visible_lines(std::string_view text);

/// The candidate nearest to `word` by edit distance (swapped neighbours
/// count once), or nothing if none is near enough to
/// be a likely typing error (a third of the longer word's length, at least 1).
std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> candidates);

} // namespace ap
