#include "domain/file_relevance.hh"

#include "base/glob.hh"

#include <algorithm>
#include <cctype>

namespace ap {

namespace {

constexpr size_t shortest_word = 4;
constexpr int64_t most_points = 99;

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
        if (word.size() >= shortest_word) {
            words.insert(word);
        }
        word.clear();
    }
    return words;
}

} // namespace

GoalWords::GoalWords(std::string_view goal)
    : words_(words_of(goal))
{
}

int64_t GoalWords::points(std::string_view path, std::string_view text) const
{
    const std::string in_path = lower(path);
    const std::set<std::string> in_text = words_of(text);
    int64_t points = 0;
    for (const std::string &word : words_) {
        points += in_path.find(word) != std::string::npos ? 3 : 0;
        points += in_text.contains(word) ? 1 : 0;
    }
    return std::min(points, most_points);
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

std::string test_stem(std::string_view path)
{
    std::string base = lower(path.substr(path.rfind('/') + 1));
    base = base.substr(0, base.find('.'));
    base.erase(0, base.starts_with("test_") ? 5 : 0);
    if (base.ends_with("_test")) {
        base.resize(base.size() - 5);
    }
    return base;
}

} // namespace ap
