#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

namespace ap {

/// A place in a text.
struct TextPosition
{
    size_t offset = 0;
    int line = 1; ///< counts from 1
};

/// `parent` with the member `name` appended, as RFC 6901 writes it ("~1" for a slash).
std::string json_pointer(std::string_view parent, std::string_view name);
std::string json_pointer(std::string_view parent, size_t index);

/// Fills in where in `text`, which must be valid JSON, the values are that the keys of
/// `wanted` point to: a member at its key, an element at its first character.
void locate_pointers(std::string_view text,
                     std::unordered_map<std::string, TextPosition> &wanted);

} // namespace ap
