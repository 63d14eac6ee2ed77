#pragma once

#include "domain/patch.hh"

#include <string_view>
#include <vector>

namespace ap {

/// Whether a file of a unified diff begins at line `at`.
bool is_diff_line(const std::vector<std::string_view> &lines, size_t at);

/// The files of a unified diff, see parse_patch(). Hunks whose headers miscount their
/// lines are taken as they stand; one that ends with the input before it is as long as
/// its header says is Error(BadData): it was cut off.
std::vector<FilePatch> parse_diff(std::string_view text, const PatchReading &reading);

} // namespace ap
