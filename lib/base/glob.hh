#pragma once

#include <string_view>

namespace ap {

/// Whether the glob names `path`, both relative with '/' between their pieces: '*', '?'
/// and [a-z] stand for characters of one piece, a piece "**" for any number of pieces. A
/// glob whose last piece has no wildcard ("src", "src/") also names everything below.
bool glob_names(std::string_view glob, std::string_view path);

} // namespace ap
