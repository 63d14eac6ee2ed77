#include "domain/patch_json.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "wrap/json_reader.hh"
#include "wrap/sodium.hh"

namespace ap {

namespace {

Hunk hunk_of(JsonReader &edit, size_t number)
{
    Hunk hunk;
    hunk.header = "edit " + std::to_string(number);
    hunk.search = edit.required_text("search");
    hunk.replace = edit.required_text("replace");
    edit.done();
    for (const std::string_view line : lines_of(*hunk.search)) {
        hunk.lines.push_back({'-', std::string(line)});
    }
    for (const std::string_view line : lines_of(hunk.replace)) {
        hunk.lines.push_back({'+', std::string(line)});
    }
    return hunk;
}

mode_t mode_of(const JsonReader &file, const std::string &text)
{
    if (text != "644" && text != "755") {
        file.refuse("mode", "\"644\" or \"755\"");
    }
    return text == "755" ? 0755 : 0644;
}

FilePatch file_of(JsonReader &json)
{
    FilePatch file;
    file.path = json.required_text("path");
    int ways = 0;
    if (auto content = json.text("content")) {
        file.action = FileAction::Write;
        file.content = std::move(*content);
        ways++;
    }
    if (const auto encoded = json.text("content_base64")) {
        auto content = from_base64(*encoded);
        if (!content) {
            json.refuse("content_base64", "base64");
        }
        file.action = FileAction::Write;
        file.content = std::move(*content);
        file.binary = true;
        ways++;
    }
    std::vector<JsonReader> edits = json.objects("edits");
    for (JsonReader &edit : edits) {
        file.hunks.push_back(hunk_of(edit, file.hunks.size() + 1));
    }
    ways += !edits.empty();
    if (json.boolean("delete").value_or(false)) {
        file.action = FileAction::Delete;
        ways++;
    }
    if (auto source = json.text("rename_from")) {
        if (ways > 0 && edits.empty()) {
            json.refuse("rename_from", "edits or nothing beside it");
        }
        file.action = FileAction::Rename;
        file.source = std::move(*source);
        ways = 1;
    }
    if (const auto mode = json.text("mode")) {
        file.mode = mode_of(json, *mode);
        ways = ways == 0 ? 1 : ways;
    }
    if (ways != 1) {
        json.refuse("path", "one of content, content_base64, edits, delete, rename_from "
                            "or mode beside it");
    }
    json.done();
    return file;
}

std::string_view fenced_json(std::string_view text)
{
    constexpr std::string_view fence = "```";
    for (size_t at = text.find(fence); at != std::string_view::npos;
         at = text.find(fence, at + fence.size())) {
        const size_t line_end = text.find('\n', at);
        if (line_end == std::string_view::npos) {
            break;
        }
        const std::string_view rest = text.substr(line_end + 1);
        if (trim(rest).starts_with('{')) {
            // The end is a fence on a line of its own: strings of JSON have no lines.
            return trim(rest.substr(0, rest.find("\n```")));
        }
    }
    return {};
}

} // namespace

std::optional<std::string_view> find_json(std::string_view text)
{
    const std::string_view whole = trim(text);
    if (whole.starts_with('{')) {
        return whole;
    }
    const std::string_view fenced = fenced_json(text);
    return fenced.empty() ? std::nullopt : std::optional(fenced);
}

std::vector<FilePatch> parse_json_patch(std::string_view text)
{
    const auto found = find_json(text);
    if (!found) {
        throw Error(ExitStatus::BadData, "expected a JSON object with \"files\"");
    }
    const Json json = Json::parse(*found, "the change");
    std::vector<FilePatch> files;
    try {
        JsonReader reader(json, "the change");
        for (JsonReader &file : reader.objects("files")) {
            files.push_back(file_of(file));
        }
        reader.done();
    } catch (const Error &error) {
        // What is a fault of the configuration elsewhere is one of the input here.
        throw Error(ExitStatus::BadData, error.what());
    }
    return files;
}

} // namespace ap
