#pragma once

#include "wrap/json.hh"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// Reads the members of one object of a configuration file strictly: each must be of its
/// type and range, and done() refuses those that nobody asked for. What is wrong is
/// Error(Config) "FILE: /pointer: expected ..., got ...".
class JsonReader
{
public:
    /// `pointer` (RFC 6901) says where `value` is in `file`; it must be an object.
    JsonReader(const Json &value, std::string file, std::string pointer = {});

    /// The member's value, or nothing if it is missing.
    std::optional<std::string> text(std::string_view key);
    std::optional<int64_t> integer(std::string_view key, int64_t low, int64_t high);
    std::optional<bool> boolean(std::string_view key);
    std::optional<std::vector<std::string>> texts(std::string_view key);
    std::optional<std::vector<int64_t>> integers(std::string_view key, int64_t low,
                                                 int64_t high);

    /// A duration as parse_duration() takes it, or a number of seconds.
    std::optional<std::chrono::milliseconds> duration(std::string_view key);

    /// Readers of a member that is an object, or an array of objects. With `short_for` a
    /// string among them stands for an object with that one member.
    std::optional<JsonReader> object(std::string_view key);
    std::vector<JsonReader> objects(std::string_view key,
                                    std::string_view short_for = {});

    /// Whether the member is there and null.
    bool is_null(std::string_view key);

    /// As text(), but a missing member is an error too.
    std::string required_text(std::string_view key);

    /// Throws for a member that was not asked for, naming the nearest that was.
    void done() const;

    /// Throws for `key`: "expected `expected`, got <its value>".
    [[noreturn]] void refuse(std::string_view key, std::string_view expected) const;

private:
    Json take(std::string_view key);
    [[noreturn]] void refuse_at(const std::string &pointer, std::string_view expected,
                                const Json &got) const;

    Json value_;
    std::string file_;
    std::string pointer_;
    std::vector<std::string> known_;
};

} // namespace ap
