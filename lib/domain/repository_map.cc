#include "domain/repository_map.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/call_estimate.hh"
#include "sys/command.hh"
#include "wrap/json.hh"

#include <algorithm>
#include <array>
#include <utility>

namespace ap {

namespace {

constexpr size_t files_at_once = 500;
constexpr size_t most_lines = 500;

// What of a file others use; its variables and members are inside.
constexpr std::array<std::string_view, 16> wanted_kinds = {
    "function", "prototype", "class",   "struct",        "method",    "interface",
    "enum",     "type",      "typedef", "union",         "namespace", "trait",
    "module",   "macro",     "func",    "implementation"};

using Lines = std::map<std::string, std::vector<std::pair<int64_t, std::string>>>;

void take_tag(Lines &lines, std::string_view line)
{
    const auto tag = line.starts_with('{') ? Json::try_parse(line) : std::nullopt;
    if (!tag || tag->get_string("_type") != "tag") {
        return;
    }
    const std::string kind = tag->get_string("kind").value_or("");
    if (std::find(wanted_kinds.begin(), wanted_kinds.end(), kind) == wanted_kinds.end()) {
        return;
    }
    const std::string name = tag->get_string("name").value_or("");
    if (name.starts_with("__anon")) {
        return; // what has none gets one from ctags
    }
    std::string path = tag->get_string("path").value_or("");
    path.erase(0, path.starts_with("./") ? 2 : 0);
    const int64_t number = tag->get_integer("line").value_or(0);
    lines[path].emplace_back(number, std::to_string(number) + " " + kind + " " + name +
                                         tag->get_string("signature").value_or(""));
}

void run_ctags(const std::string &directory, std::vector<std::string> files, Lines &lines)
{
    Command command;
    command.argv = {
        "ctags", "--options=NONE", "--output-format=json", "--fields=+nKS", "-f", "-"};
    std::move(files.begin(), files.end(), std::back_inserter(command.argv));
    command.directory = directory;
    command.timeout = std::chrono::minutes(2);
    command.output_limit = size_t{256} << 20;
    const CommandResult result = run_command(command);
    if (!result.succeeded()) {
        throw Error(ExitStatus::Unavailable,
                    "Universal Ctags with JSON output is not there: ctags " +
                        result.text());
    }
    for (const std::string_view line : lines_of(result.output)) {
        take_tag(lines, line);
    }
}

// The most points first, as their negative.
std::vector<std::pair<int64_t, std::string>> paths_by_points(const Outlines &outlines,
                                                             const GoalWords &words)
{
    std::vector<std::pair<int64_t, std::string>> sorted;
    for (const auto &[path, lines] : outlines) {
        sorted.emplace_back(-words.points(path, join(lines, "\n")), path);
    }
    std::sort(sorted.begin(), sorted.end());
    return sorted;
}

} // namespace

Outlines outline_files(const std::string &directory,
                       const std::vector<std::string> &paths)
{
    Lines lines;
    for (size_t begin = 0; begin < paths.size(); begin += files_at_once) {
        std::vector<std::string> files;
        for (size_t i = begin; i < std::min(paths.size(), begin + files_at_once); i++) {
            files.push_back("./" + paths[i]); // never an option
        }
        run_ctags(directory, std::move(files), lines);
    }
    Outlines outlines;
    for (auto &[path, tags] : lines) {
        std::sort(tags.begin(), tags.end());
        tags.resize(std::min(tags.size(), most_lines));
        for (auto &[number, text] : tags) {
            outlines[path].push_back(std::move(text));
        }
    }
    return outlines;
}

RepositoryMap repository_map(const std::set<std::string> &paths, const Outlines &outlines,
                             const GoalWords &words, int64_t budget)
{
    RepositoryMap map;
    std::map<std::string, std::string> entries;
    for (const std::string &path : paths) {
        const int64_t tokens = token_bound(path + "\n");
        if (map.tokens + tokens > budget / 2) {
            break;
        }
        map.tokens += tokens;
        entries[path] = path + "\n";
    }
    size_t shown = 0;
    for (const auto &[points, path] : paths_by_points(outlines, words)) {
        const std::string lines = "  " + join(outlines.at(path), "\n  ") + "\n";
        const bool is_named = entries.contains(path);
        const int64_t tokens = token_bound(is_named ? lines : path + "\n" + lines);
        if (map.tokens + tokens > budget) {
            continue; // a smaller one may still fit
        }
        map.tokens += tokens;
        entries[path] = path + "\n" + lines;
        shown++;
    }
    for (const auto &[path, entry] : entries) {
        map.text += entry;
    }
    map.text += map.text.empty() ? "" : "\n";
    map.why = std::to_string(entries.size()) + " of " + std::to_string(paths.size()) +
              " files, " + std::to_string(shown) + " of " +
              std::to_string(outlines.size()) + " outlines";
    return map;
}

} // namespace ap
