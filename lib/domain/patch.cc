#include "domain/patch.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/patch_blocks.hh"
#include "domain/patch_diff.hh"
#include "domain/patch_json.hh"
#include "wrap/json.hh"

#include <algorithm>
#include <array>
#include <utility>

namespace ap {

namespace {

constexpr std::array<std::pair<PatchFormat, std::string_view>, 5> format_names{{
    {PatchFormat::Auto, "auto"},
    {PatchFormat::Diff, "diff"},
    {PatchFormat::Files, "files"},
    {PatchFormat::Edits, "edits"},
    {PatchFormat::Json, "json"},
}};

PatchFormat detect(std::string_view text)
{
    if (const auto json = find_json(text);
        json && json->find("\"files\"") != std::string_view::npos &&
        Json::try_parse(*json)) {
        return PatchFormat::Json;
    }
    // What begins first: the rest may be what a file or a diff holds.
    const auto lines = lines_of(text);
    for (size_t at = 0; at < lines.size(); at++) {
        if (is_diff_line(lines, at)) {
            return PatchFormat::Diff;
        }
        if (is_search_line(lines[at])) {
            return PatchFormat::Edits;
        }
        if (is_file_line(lines, at)) {
            return PatchFormat::Files;
        }
    }
    throw Error(
        ExitStatus::BadData,
        "expected a diff, SEARCH/REPLACE blocks, 'FILE: PATH' and a fenced block, "
        "or JSON with \"files\"; found none of them");
}

// A text of which every line ends with CR LF got that on its way.
std::string without_transport_ends(std::string_view text)
{
    const auto lines = lines_of(text);
    const bool all = !lines.empty() && lines.front().ends_with("\r\n") &&
                     std::all_of(lines.begin(), lines.end(), [](std::string_view line) {
                         return line.ends_with("\r\n") || !line.ends_with('\n');
                     });
    if (!all) {
        return std::string(text);
    }
    std::string plain;
    for (std::string_view line : lines) {
        if (line.ends_with("\r\n")) {
            plain.append(line.substr(0, line.size() - 2)).append("\n");
        } else {
            plain.append(line);
        }
    }
    return plain;
}

} // namespace

std::string_view patch_format_name(PatchFormat format)
{
    return std::find_if(format_names.begin(), format_names.end(),
                        [&](const auto &entry) { return entry.first == format; })
        ->second;
}

std::optional<PatchFormat> patch_format_from(std::string_view name)
{
    const auto found =
        std::find_if(format_names.begin(), format_names.end(),
                     [&](const auto &entry) { return entry.second == name; });
    return found == format_names.end() ? std::nullopt : std::optional(found->first);
}

std::string_view file_action_name(FileAction action)
{
    switch (action) {
    case FileAction::Modify:
        return "modify";
    case FileAction::Create:
        return "create";
    case FileAction::Write:
        return "write";
    case FileAction::Delete:
        return "delete";
    case FileAction::Rename:
        return "rename";
    case FileAction::Copy:
        return "copy";
    }
    return "";
}

Patch parse_patch(std::string_view input, const PatchReading &reading)
{
    const std::string text = without_transport_ends(input);
    Patch patch;
    patch.format = reading.format == PatchFormat::Auto ? detect(text) : reading.format;
    if (reading.reverse && patch.format != PatchFormat::Diff) {
        throw Error(ExitStatus::BadData, "only a diff can be reversed");
    }
    switch (patch.format) {
    case PatchFormat::Json:
        patch.files = parse_json_patch(text);
        break;
    case PatchFormat::Files:
    case PatchFormat::Edits:
        patch.files = parse_blocks(text);
        break;
    case PatchFormat::Auto:
    case PatchFormat::Diff:
        patch.files = parse_diff(text, reading);
        break;
    }
    if (patch.files.empty()) {
        throw Error(ExitStatus::BadData, "there is no change in the input");
    }
    return patch;
}

} // namespace ap
