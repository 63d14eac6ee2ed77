#include "domain/context.hh"

#include "base/error.hh"
#include "base/glob.hh"
#include "base/text.hh"
#include "domain/apply_rules.hh"
#include "domain/call_estimate.hh"
#include "domain/repository_map.hh"
#include "domain/secret_rule.hh"
#include "domain/worktree.hh"
#include "sys/tree.hh"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

namespace ap {

namespace {

constexpr int64_t largest_file = 256 << 10;
constexpr size_t most_map_files = 5'000;
constexpr int64_t map_share = 5; ///< the map takes at most one fifth of the budget

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

std::string lower(std::string_view text)
{
    std::string made(text);
    std::transform(made.begin(), made.end(), made.begin(),
                   [](unsigned char letter) { return std::tolower(letter); });
    return made;
}

std::set<std::string> words_of(std::string_view text)
{
    std::set<std::string> words;
    std::string word;
    for (const char letter : lower(text) + " ") {
        if (std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_') {
            word += letter;
            continue;
        }
        if (word.size() > 3) {
            words.insert(word);
        }
        word.clear();
    }
    return words;
}

bool looks_like_test(std::string_view path)
{
    const std::string name = lower(path);
    const std::string base = name.substr(name.rfind('/') + 1);
    return glob_names("**/test", name) || glob_names("**/tests", name) ||
           glob_names("**/spec", name) || base.starts_with("test_") ||
           base.find("_test.") != std::string::npos ||
           base.find(".test.") != std::string::npos ||
           base.find(".spec.") != std::string::npos;
}

// The name without directories, endings and what marks a test.
std::string stem_of(std::string_view path)
{
    std::string base = lower(path.substr(path.rfind('/') + 1));
    base = base.substr(0, base.find('.'));
    base.erase(0, base.starts_with("test_") ? 5 : 0);
    if (base.ends_with("_test")) {
        base.resize(base.size() - 5);
    }
    return base;
}

// A fence longer than any in the text.
std::string fenced(const std::string &path, const std::string &text)
{
    size_t longest = 2;
    size_t run = 0;
    for (const char character : text) {
        run = character == '`' ? run + 1 : 0;
        longest = std::max(longest, run);
    }
    const std::string fence(longest + 1, '`');
    return "FILE: " + path + "\n" + fence + "\n" + text +
           (text.empty() || text.ends_with('\n') ? "" : "\n") + fence + "\n\n";
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
        , words_(words_of(request.goal))
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
                stems_.insert(stem_of(path));
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
                ? looks_like_test(path) && stems_.contains(stem_of(path))
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
        if (const auto text = readable(path, candidate.item.why)) {
            candidate.item.score += relevance(path, *text);
            candidate.text = fenced(path, *text);
            candidate.item.tokens = token_bound(candidate.text);
        }
        candidates_.push_back(std::move(candidate));
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

    // Words of the goal: three points for each in the path, one for each in the text.
    int64_t relevance(const std::string &path, const std::string &text) const
    {
        const std::string in_path = lower(path);
        const std::set<std::string> in_text = words_of(text);
        int64_t points = 0;
        for (const std::string &word : words_) {
            points += in_path.find(word) != std::string::npos ? 3 : 0;
            points += in_text.contains(word) ? 1 : 0;
        }
        return std::min<int64_t>(points, 99);
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
            write_map(map, outline_files(request_.directory, files));
        } catch (const Error &error) {
            if (error.status() != ExitStatus::Unavailable) {
                throw;
            }
            context_.warning = std::string("no repository map: ") + error.what();
            map.item.why = "there is no ctags";
        }
        candidates_.push_back(std::move(map));
    }

    void write_map(Candidate &map, const std::vector<FileOutline> &outlines) const
    {
        const int64_t most = request_.budget / map_share;
        size_t shown = 0;
        for (const FileOutline &outline : outlines) {
            std::string entry = outline.path + "\n";
            for (const std::string &line : outline.lines) {
                entry += "  " + line + "\n";
            }
            const int64_t tokens = token_bound(entry);
            if (map.item.tokens + tokens > most) {
                continue; // a smaller one may still fit
            }
            map.item.tokens += tokens;
            map.text += entry;
            shown++;
        }
        map.text = map.text.empty() ? "" : map.text + "\n";
        map.item.why = std::to_string(shown) + " of " + std::to_string(outlines.size()) +
                       " files with definitions";
    }

    void fill()
    {
        std::array<std::string, kinds.size()> sections;
        for (Candidate &candidate : candidates_) {
            ContextItem &item = candidate.item;
            if (!candidate.text.empty()) {
                std::string &part = section(sections, item.kind);
                const int64_t left = request_.budget - context_.tokens;
                const int64_t cost =
                    item.tokens + (part.empty() ? token_bound(title_of(item.kind)) : 0);
                item.included = cost <= left;
                if (item.included) {
                    context_.tokens += cost;
                    part += candidate.text;
                } else {
                    item.why = "does not fit: " + std::to_string(left) + " tokens left";
                }
                if (item.why.empty()) {
                    item.why = "fits";
                }
            }
            context_.items.push_back(std::move(item));
        }
        for (size_t i = 0; i < kinds.size(); i++) {
            if (!sections[i].empty()) {
                context_.text +=
                    "## " + std::string(kinds[i].title) + "\n\n" + sections[i];
            }
        }
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
    std::set<std::string> words_;
    std::set<std::string> paths_;
    std::set<std::string> stems_; ///< of the files in the scope
    std::vector<Candidate> candidates_;
    Context context_;
};

// The bound of a call with one message, of which that of an empty one is no part.
int64_t bound_of_message(std::string_view text)
{
    Json message = Json::object();
    message.set("role", "user").set("content", text);
    Json body = Json::object();
    body.set("model", "any")
        .set("max_tokens", 1)
        .set("messages", Json::array().append(message));
    return estimate_call(route_of("POST", "/v1/chat/completions"), body.dump())
        .input_bound;
}

} // namespace

int64_t token_bound(std::string_view text)
{
    return bound_of_message(text) - bound_of_message("");
}

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
