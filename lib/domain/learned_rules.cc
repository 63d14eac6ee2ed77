#include "domain/learned_rules.hh"

#include "base/text.hh"
#include "sys/path.hh"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace ap {

namespace {

constexpr size_t largest_file = 1 << 20;
constexpr size_t least_phases = 2;
constexpr int64_t phases_named = 5;

constexpr std::string_view introduction =
    "# Learned rules\n"
    "\n"
    "What builds of several phases failed by, and what fixed it; builders are shown it.\n"
    "Change the words as you like. To forget a rule for good, leave its brackets alone.\n"
    "\n";

constexpr auto advice = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"no-answer",
     "Keep the answer short: change less at once, and show only what changes."},
    {"malformed", "Answer with one whole change in one of the forms, and nothing else."},
    {"no-change", "Answer with a change; do not only describe one."},
    {"out-of-scope", "Change only files within the scope, and no protected ones."},
    {"rejected",
     "Copy the lines that a change looks for from the file as it is shown, or "
     "give the whole file."},
    {"check", "Make sure that this check passes before anything else."},
    {"audit", "Read each criterion again before you answer, and meet every one."},
    {"conflict", "Change as few lines as possible where other phases work, too."},
});

std::string_view advice_for(std::string_view failure_class)
{
    const auto *found =
        std::find_if(advice.begin(), advice.end(),
                     [&](const auto &entry) { return entry.first == failure_class; });
    return found == advice.end() ? std::string_view("Avoid this failure.")
                                 : found->second;
}

std::string mark_of(const BuildFailure &failure)
{
    return "- [" + failure.failure_class +
           (failure.key.empty() ? "" : " " + printable(failure.key)) + "]";
}

std::string file_text(const std::string &path)
{
    return path_exists(path) ? read_file(path, largest_file) : std::string();
}

bool has_rule(std::string_view text, const std::string &mark)
{
    const auto lines = split(text, '\n');
    return std::any_of(lines.begin(), lines.end(),
                       [&](std::string_view line) { return line.starts_with(mark); });
}

} // namespace

LearnedRules::LearnedRules(std::string_view directory)
    : path_(join_path(directory, "docs/LEARNED_RULES.md"))
{
}

std::string LearnedRules::text() const
{
    std::string rules;
    const std::string text = file_text(path_);
    for (const std::string_view line : split(text, '\n')) {
        const size_t mark = line.find(']');
        if (line.starts_with("- [") && mark != std::string_view::npos &&
            !trim(line.substr(mark + 1)).empty()) {
            rules += std::string(line) + "\n";
        }
    }
    return rules;
}

int LearnedRules::learn(Sqlite &database, const std::vector<Build> &builds,
                        std::string_view fix)
{
    std::string text = file_text(path_);
    std::set<std::string> seen;
    int added = 0;
    for (const Build &build : builds) {
        const BuildFailure &failure = build.failure;
        const std::string mark = mark_of(failure);
        if (build.status != "FAILED" || !seen.insert(mark).second ||
            has_rule(text, mark)) {
            continue;
        }
        const auto phases = phases_with_failure(database, failure.failure_class,
                                                failure.key, phases_named);
        if (phases.size() < least_phases) {
            continue;
        }
        text = text.empty() ? std::string(introduction) : text;
        text += text.ends_with('\n') ? "" : "\n";
        text += mark + " " + std::string(advice_for(failure.failure_class)) +
                " Seen in: " + join(phases, ", ") +
                "; last: " + printable(failure.reason) + ". Fixed by: " + printable(fix) +
                ".\n";
        added++;
    }
    if (added > 0) {
        make_directories(parent_path(path_));
        write_file_atomically(path_, text);
    }
    return added;
}

} // namespace ap
