#include "domain/context.hh"

#include "base/error.hh"
#include "base/glob.hh"
#include "base/text.hh"
#include "domain/answer_text.hh"
#include "domain/apply_rules.hh"
#include "domain/call_estimate.hh"
#include "domain/file_relevance.hh"
#include "domain/repository_map.hh"
#include "domain/secret_rule.hh"
#include "domain/worktree.hh"
#include "sys/tree.hh"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace ap {

namespace {

constexpr int64_t largest_file = 256 << 10;
constexpr size_t most_map_files = 5'000;

// What the map may take: less where files have to be shown as well.
constexpr int64_t map_percent = 20;
constexpr int64_t map_percent_alone = 60;

/// What this suite writes down about a project's history.
constexpr std::array<std::string_view, 4> ledger_files = {
    "docs/BUILD_HISTORY.md", "docs/DEBUG_LOG.md", "docs/ARCHITECTURE_DECISIONS.md",
    "docs/architecture.md"};

// A kind's place in the order; within it the goal's words count, up to 99 points.
struct Kind
{
    std::string_view name;
    int64_t score;
    std::string_view title;
};
constexpr Kind rules_kind = {"rules", 1000, "Learned rules"};
constexpr Kind scope_kind = {"scope", 800, "Files that may be changed"};
constexpr Kind read_kind = {"read", 600, "Files to read only"};
constexpr Kind tests_kind = {"tests", 500, "Tests"};
constexpr Kind map_kind = {"map", 400, "Repository map"};
constexpr Kind ledger_kind = {"ledger", 300, "Project documents"};
constexpr std::array<Kind, 6> kinds = {rules_kind, scope_kind, read_kind,
                                       tests_kind, map_kind,   ledger_kind};

bool any_names(const std::vector<std::string> &globs, std::string_view path)
{
    return std::any_of(globs.begin(), globs.end(),
                       [&](const std::string &glob) { return glob_names(glob, path); });
}

// A fence longer than any in the text, with the path before it.
std::string file_block(const std::string &path, std::string_view text,
                       std::string_view note = {})
{
    return "FILE: " + path + std::string(note) + "\n" + fenced(text) + "\n";
}

struct Candidate
{
    ContextItem item;
    std::string text; ///< as it goes into the context
};

class Chooser
{
public:
    explicit Chooser(const ContextRequest &request)
        : request_(request)
        , tree_(request.directory)
        , words_(request.goal)
    {
    }

    Context choose()
    {
        list();
        for (const std::string &path : paths_) {
            if (const Kind *kind = kind_of(path)) {
                consider(path, *kind);
            }
        }
        if (!request_.rules.empty() &&
            !paths_.contains(std::string(learned_rules_file))) {
            consider(std::string(learned_rules_file), rules_kind);
        }
        consider_map();
        std::sort(candidates_.begin(), candidates_.end(),
                  [](const Candidate &one, const Candidate &other) {
                      return std::pair(-one.item.score, one.item.path) <
                             std::pair(-other.item.score, other.item.path);
                  });
        fill();
        return std::move(context_);
    }

private:
    void list()
    {
        const std::string output =
            run_git(request_.directory,
                    {"ls-files", "-z", "--cached", "--others", "--exclude-standard"});
        for (const std::string_view path : split(output, '\0')) {
            if (!path.empty() && !is_protected_path(path) && !path_refusal(path, {})) {
                paths_.emplace(path);
            }
        }
        for (const std::string &path : paths_) {
            if (any_names(request_.scope, path)) {
                stems_.insert(test_stem(path));
            }
        }
    }

    const Kind *kind_of(const std::string &path) const
    {
        if (path == learned_rules_file) {
            return &rules_kind;
        }
        if (any_names(request_.scope, path)) {
            return &scope_kind;
        }
        if (any_names(request_.read, path)) {
            return &read_kind;
        }
        if (request_.tests.empty()
                ? looks_like_test(path) && stems_.contains(test_stem(path))
                : any_names(request_.tests, path)) {
            return &tests_kind;
        }
        return std::find(ledger_files.begin(), ledger_files.end(), path) !=
                       ledger_files.end()
                   ? &ledger_kind
                   : nullptr;
    }

    void consider(const std::string &path, const Kind &kind)
    {
        Candidate candidate;
        candidate.item.path = path;
        candidate.item.kind = kind.name;
        candidate.item.score = kind.score;
        auto text = readable(path, candidate.item.why);
        if (path == learned_rules_file) {
            text = with_more_rules(std::move(text));
        }
        if (text) {
            candidate.item.score += words_.points(path, *text);
            candidate.text = file_block(path, *text);
            candidate.item.tokens = token_bound(candidate.text);
        }
        candidates_.push_back(std::move(candidate));
    }

    std::optional<std::string> with_more_rules(std::optional<std::string> text) const
    {
        std::string rules = text.value_or("");
        rules += rules.empty() || rules.ends_with('\n') ? "" : "\n";
        const std::string file = rules;
        const auto there = lines_of(file);
        for (const std::string_view line : lines_of(request_.rules)) {
            if (std::find(there.begin(), there.end(), line) == there.end()) {
                rules += line;
            }
        }
        return text || !rules.empty() ? std::optional(std::move(rules)) : std::nullopt;
    }

    // The file's text; otherwise why it is not shown.
    std::optional<std::string> readable(const std::string &path, std::string &why) const
    {
        try {
            const Tree::Entry entry = tree_.look(path);
            if (entry.kind != Tree::Kind::File) {
                why = "is no regular file";
            } else if (entry.size > largest_file) {
                why = "is larger than 256 KiB";
            } else {
                std::string text = tree_.read(path, largest_file);
                if (text.find('\0') != std::string::npos) {
                    why = "is binary";
                } else if (holds_secret(text)) {
                    why = "holds what looks like a key";
                } else {
                    return text;
                }
            }
        } catch (const Error &error) {
            why = error.what();
        }
        return std::nullopt;
    }

    void consider_map()
    {
        Candidate map;
        map.item.path = "the repository map";
        map.item.kind = map_kind.name;
        map.item.score = map_kind.score;
        std::vector<std::string> files(paths_.begin(), paths_.end());
        std::erase_if(files, [this](const std::string &path) {
            std::string why;
            return !readable(path, why);
        });
        const size_t left_out = files.size() - std::min(files.size(), most_map_files);
        files.resize(files.size() - left_out);
        try {
            outlines_ = outline_files(request_.directory, files);
        } catch (const Error &error) {
            if (error.status() != ExitStatus::Unavailable) {
                throw;
            }
            context_.warning =
                std::string("the repository map has names alone: ") + error.what();
        }
        const bool is_alone = request_.scope.empty() && request_.read.empty();
        RepositoryMap made = repository_map(
            paths_, outlines_, words_,
            request_.budget * (is_alone ? map_percent_alone : map_percent) / 100);
        map.item.tokens = made.tokens;
        map.item.why = std::move(made.why);
        map.text = std::move(made.text);
        candidates_.push_back(std::move(map));
    }

    void fill()
    {
        std::array<std::string, kinds.size()> sections;
        for (Candidate &candidate : candidates_) {
            if (!candidate.text.empty() && !take(candidate, sections)) {
                const std::string why = "does not fit: " + left() + " tokens left";
                const int64_t whole = candidate.item.tokens;
                candidate.text = outline_block(candidate.item.path);
                candidate.item.tokens = token_bound(candidate.text);
                const bool is_outline =
                    !candidate.text.empty() && take(candidate, sections);
                candidate.item.tokens = is_outline ? candidate.item.tokens : whole;
                candidate.item.why = is_outline ? why + ", but for an outline" : why;
            } else if (candidate.item.why.empty()) {
                candidate.item.why = "fits";
            }
            context_.items.push_back(std::move(candidate.item));
        }
        for (size_t i = 0; i < kinds.size(); i++) {
            if (!sections[i].empty()) {
                context_.text +=
                    "## " + std::string(kinds[i].title) + "\n\n" + sections[i];
            }
        }
    }

    // Puts it into its section if there is room for it.
    bool take(Candidate &candidate, std::array<std::string, kinds.size()> &sections)
    {
        ContextItem &item = candidate.item;
        std::string &part = section(sections, item.kind);
        const int64_t cost =
            item.tokens + (part.empty() ? token_bound(title_of(item.kind)) : 0);
        item.included = cost <= request_.budget - context_.tokens;
        if (item.included) {
            context_.tokens += cost;
            part += candidate.text;
        }
        return item.included;
    }

    std::string left() const { return std::to_string(request_.budget - context_.tokens); }

    // What stands for a file that is too long.
    std::string outline_block(const std::string &path) const
    {
        const auto found = outlines_.find(path);
        return found == outlines_.end() ? ""
                                        : file_block(path, join(found->second, "\n"),
                                                     " (too long: what it defines)");
    }

    static std::string title_of(std::string_view name)
    {
        const auto kind = std::find_if(kinds.begin(), kinds.end(),
                                       [&](const Kind &one) { return one.name == name; });
        return "## " + std::string(kind->title) + "\n\n";
    }

    static std::string &section(std::array<std::string, kinds.size()> &sections,
                                std::string_view name)
    {
        const auto kind = std::find_if(kinds.begin(), kinds.end(),
                                       [&](const Kind &one) { return one.name == name; });
        return sections.at(static_cast<size_t>(kind - kinds.begin()));
    }

    const ContextRequest &request_;
    Tree tree_;
    GoalWords words_;
    std::set<std::string> paths_;
    std::set<std::string> stems_; ///< of the files in the scope
    Outlines outlines_;
    std::vector<Candidate> candidates_;
    Context context_;
};

} // namespace

Context choose_context(const ContextRequest &request)
{
    return Chooser(request).choose();
}

Json context_to_json(const Context &context)
{
    Json items = Json::array();
    for (const ContextItem &item : context.items) {
        Json json = Json::object();
        items.append(json.set("path", item.path)
                         .set("kind", item.kind)
                         .set("score", item.score)
                         .set("tokens", item.tokens)
                         .set("included", item.included)
                         .set("why", item.why));
    }
    Json json = Json::object();
    return json.set("tokens", context.tokens)
        .set("items", items)
        .set("text", context.text);
}

} // namespace ap
