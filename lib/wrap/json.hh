#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct json_t;

namespace ap {

/// A JSON value with shared ownership, as jansson counts it: a copy is the same value.
/// An empty Json (a missing member) is falsy and answers every is_...() with false.
class Json
{
public:
    Json() noexcept = default;
    Json(const Json &other) noexcept;
    Json(Json &&other) noexcept = default;
    Json &operator=(const Json &other) noexcept;
    Json &operator=(Json &&other) noexcept = default;
    ~Json() = default;

    /// Parses one value of any type, refusing duplicate keys and anything after it;
    /// throws Error(BadData) "`source`: line L, column C: ...".
    static Json parse(std::string_view text, std::string_view source);

    /// As parse, but nothing if `text` is not JSON.
    static std::optional<Json> try_parse(std::string_view text);

    static Json object();
    static Json array();
    static Json string(std::string_view value); ///< invalid UTF-8 becomes U+FFFD
    static Json integer(int64_t value);
    static Json real(double value);
    static Json boolean(bool value);
    static Json null();

    explicit operator bool() const noexcept { return value_ != nullptr; }
    bool is_object() const noexcept;
    bool is_array() const noexcept;
    bool is_string() const noexcept;
    bool is_integer() const noexcept;
    bool is_number() const noexcept;
    bool is_boolean() const noexcept;
    bool is_null() const noexcept;

    /// "object", "array", "string", "integer", "number", "boolean", "null" or "nothing".
    std::string_view type_name() const noexcept;

    /// The value as its type, which it must have (a fault of the program otherwise).
    std::string as_string() const;
    int64_t as_integer() const;
    double as_number() const;
    bool as_boolean() const;

    /// The member `key` of an object; empty if this is no object or has none.
    Json get(std::string_view key) const;

    /// The member as its type; nothing if it is missing or of another type.
    std::optional<std::string> get_string(std::string_view key) const;
    std::optional<int64_t> get_integer(std::string_view key) const;
    std::optional<bool> get_boolean(std::string_view key) const;

    /// The keys of an object in the order they were written.
    std::vector<std::string> keys() const;

    /// The number of elements or members; 0 for everything else.
    size_t size() const noexcept;

    /// Element `index` of an array; empty past its end.
    Json at(size_t index) const;

    /// Sets a member of an object and returns *this, to be chained.
    Json &set(std::string_view key, Json value);
    Json &set(std::string_view key, std::string_view value);
    Json &set(std::string_view key, const char *value);
    Json &set(std::string_view key, int64_t value);
    Json &set(std::string_view key, int value) { return set(key, int64_t{value}); }
    Json &set(std::string_view key, bool value);
    template <typename Value>
    Json &set(std::string_view key, const std::optional<Value> &value)
    {
        return value ? set(key, *value) : set(key, null());
    }

    /// Appends to an array and returns *this.
    Json &append(Json value);

    /// The value in one line without blanks, members in the order they were set.
    std::string dump() const;

    /// The value indented by two, with a newline at the end.
    std::string dump_pretty() const;

private:
    struct Release
    {
        void operator()(json_t *value) const noexcept;
    };
    explicit Json(json_t *owned);

    std::unique_ptr<json_t, Release> value_;
};

/// The version of Jansson that is loaded.
std::string loaded_jansson_version();

} // namespace ap
