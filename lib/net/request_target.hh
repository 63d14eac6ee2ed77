#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// `text` with %HH decoded, and '+' as a blank if `plus_is_blank`; nothing if an escape
/// is malformed or a byte comes out that is a control character other than tab and
/// newline.
std::optional<std::string> decode_percent(std::string_view text, bool plus_is_blank);

/// `text` with everything but letters, digits and "-._~" as %HH.
std::string encode_percent(std::string_view text);

/// The decoded pieces of an absolute path between its slashes ("/" has none); nothing if
/// it is no absolute path, has an empty piece, a piece "." or "..", one with a slash in
/// it, or a malformed escape.
std::optional<std::vector<std::string>> split_path(std::string_view path);

/// The fields of a query or of a form (application/x-www-form-urlencoded), each name
/// once; nothing if one is malformed, comes twice, or there are more than 64.
std::optional<std::map<std::string, std::string>> parse_form(std::string_view text);

/// The value of the cookie `name` in a Cookie field; nothing if it is not there.
std::optional<std::string_view> find_cookie(std::string_view cookies,
                                            std::string_view name);

/// What part of a body a Range field asks for.
struct ByteRange
{
    uint64_t first = 0;
    uint64_t last = 0; ///< inclusive
};

/// Reads a Range field with one range of bytes for a body of `size` bytes.
struct RangeRequest
{
    enum class Kind {
        Whole, ///< no such field, or one that may be ignored
        Part,
        Unsatisfiable, ///< answer 416
    };
    Kind kind = Kind::Whole;
    ByteRange range;
};

RangeRequest read_range(std::optional<std::string_view> field, uint64_t size);

/// Whether an Accept-Encoding field allows gzip; without one nobody asked for it.
bool accepts_gzip(std::optional<std::string_view> field);

} // namespace ap
