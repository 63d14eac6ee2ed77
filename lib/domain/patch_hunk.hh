#pragma once

#include "domain/patch.hh"

#include <optional>
#include <string_view>
#include <vector>

namespace ap {

/// Whether a line begins a hunk: "@@ -1,2 +3,4 @@ ...", or "@@" without numbers, as
/// models write it.
bool is_hunk_header(std::string_view line);

/// Whether a file of a plain diff begins at `at`: "--- ", "+++ " and a hunk.
bool is_plain_header(const std::vector<std::string_view> &lines, size_t at);

/// The hunk whose header is line `at` of `lines` (from 0); `at` is then behind it. Its
/// lines are as many as the header says, or, if that cannot be, those up to the next line
/// that is none. Error(BadData) if the input ends before.
Hunk read_hunk(const std::vector<std::string_view> &lines, size_t &at);

} // namespace ap
