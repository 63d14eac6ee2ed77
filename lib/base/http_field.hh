#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace ap {

/// One header field of an HTTP message. Points into memory of whoever hands it out.
struct HttpField
{
    std::string_view name;
    std::string_view value;
};

/// Whether two field names are the same, as HTTP compares them: ASCII letters in either
/// case.
bool same_field_name(std::string_view one, std::string_view other) noexcept;

/// The value of the first field called `name`.
std::optional<std::string_view> find_field(std::span<const HttpField> fields,
                                           std::string_view name) noexcept;

/// Whether a field is about one connection rather than the message (RFC 9110, 7.6.1), so
/// that a proxy does not pass it on: Connection, Keep-Alive, Proxy-Connection, TE,
/// Trailer, Transfer-Encoding, Upgrade.
bool is_hop_by_hop(std::string_view name) noexcept;

/// Whether the comma-separated list `value` has `token` in it, in either case.
bool has_list_token(std::string_view value, std::string_view token) noexcept;

} // namespace ap
