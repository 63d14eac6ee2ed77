#pragma once

#include "domain/patch.hh"

#include <string_view>
#include <vector>

namespace ap {

/// Whether a line begins a block: "<<<<<<< SEARCH".
bool is_search_line(std::string_view line);

/// Whether a whole file begins at `at`, or the removal of one: "FILE: PATH" and a fence
/// that does not say it holds a diff, "DELETE: PATH".
bool is_file_line(const std::vector<std::string_view> &lines, size_t at);

/// The files of SEARCH/REPLACE blocks and of fenced whole files, which may be mixed; see
/// ap-apply(1). Error(BadData) for a block that does not end.
std::vector<FilePatch> parse_blocks(std::string_view text);

} // namespace ap
