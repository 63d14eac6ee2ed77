#include "domain/change_limits.hh"

#include "base/text.hh"

#include <algorithm>
#include <cctype>
#include <map>
#include <string>

namespace ap {

namespace {

std::string lower(std::string text)
{
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char letter) { return std::tolower(letter); });
    return text;
}

} // namespace

std::vector<RefusedPath> refuse_names(const ChangePlan &plan, const ApplyRules &)
{
    std::vector<RefusedPath> refused;
    std::map<std::string, std::string> known;
    for (const TreeChange &change : plan.changes) {
        if (!change.after) {
            continue;
        }
        const auto [entry, is_new] = known.emplace(lower(change.path), change.path);
        if (!is_new) {
            refused.push_back(
                {change.path, "differs from '" + entry->second + "' in case only"});
        }
    }
    for (const TreeChange &change : plan.changes) {
        const std::string name = lower(change.path);
        for (size_t slash = name.find('/'); change.after && slash != std::string::npos;
             slash = name.find('/', slash + 1)) {
            if (known.contains(name.substr(0, slash))) {
                refused.push_back({change.path, "leads through a file"});
                break;
            }
        }
    }
    return refused;
}

std::vector<RefusedPath> refuse_amount(const ChangePlan &plan, const ApplyRules &rules)
{
    std::vector<RefusedPath> refused;
    int64_t lines = 0;
    int64_t deletions = 0;
    for (const AppliedFile &file : plan.files) {
        lines += file.lines.added + file.lines.removed;
        deletions += file.action == FileAction::Delete;
    }
    const auto check = [&](const std::string &verb, int64_t count, const char *what,
                           int64_t most) {
        if (count > most) {
            refused.push_back({"", verb + " " + std::to_string(count) + " " + what +
                                       ", at most " + std::to_string(most) +
                                       " are allowed"});
        }
    };
    check("changes", static_cast<int64_t>(plan.changes.size()), "files",
          rules.most_files);
    check("changes", lines, "lines", rules.most_lines);
    check("removes", deletions, "files", rules.most_deletions);
    return refused;
}

LineCount differing_lines(std::string_view before, std::string_view after)
{
    const auto old_lines = lines_of(before);
    const auto new_lines = lines_of(after);
    const size_t shorter = std::min(old_lines.size(), new_lines.size());
    size_t head = 0;
    while (head < shorter && old_lines[head] == new_lines[head]) {
        head++;
    }
    size_t tail = 0;
    while (tail < shorter - head && old_lines[old_lines.size() - 1 - tail] ==
                                        new_lines[new_lines.size() - 1 - tail]) {
        tail++;
    }
    return {static_cast<int64_t>(new_lines.size() - head - tail),
            static_cast<int64_t>(old_lines.size() - head - tail)};
}

} // namespace ap
