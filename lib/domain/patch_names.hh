#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace ap {

/// A name as a diff's header has it ("--- NAME", "+++ NAME"), unquoted, without the
/// timestamp behind a tab and the line's end.
std::string diff_name(std::string_view text);

/// Both names of "diff --git NAME NAME"; nothing if they cannot be told apart, which
/// only names that differ, or are no names, make happen.
std::optional<std::pair<std::string, std::string>> git_names(std::string_view text);

/// Takes `count` leading pieces off; nothing if there are not that many.
std::optional<std::string> strip_name(const std::string &name, int count);

/// How many pieces the names of one file carry as a prefix: 1 for "a/x" and "b/x" (and
/// the other pairs git writes, and where one of them is /dev/null), else 0.
int prefix_of(const std::string &old_name, const std::string &new_name);

inline constexpr std::string_view no_file = "/dev/null";

} // namespace ap
