#pragma once

#include "domain/patch.hh"

#include <optional>
#include <string_view>
#include <vector>

namespace ap {

/// The JSON object in `text`: all of it, or the first fenced block that is one; nothing
/// if there is none.
std::optional<std::string_view> find_json(std::string_view text);

/// The files of {"files": [...]}, see ap-apply(1). Error(BadData) names the member.
std::vector<FilePatch> parse_json_patch(std::string_view text);

} // namespace ap
