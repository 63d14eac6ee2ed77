#include "domain/patch_names.hh"

#include "base/text.hh"

#include <algorithm>

namespace ap {

namespace {

std::string_view without_end(std::string_view text)
{
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
        text.remove_suffix(1);
    }
    return text;
}

struct Quoted
{
    std::string name;
    size_t length; ///< of the text it took, quotes included
};

bool is_octal(char digit)
{
    return digit >= '0' && digit <= '7';
}

// A string as C and git write it, from its opening quote on.
std::optional<Quoted> unquote(std::string_view text)
{
    constexpr std::string_view letters = "abtnvfr\"\\";
    constexpr std::string_view meanings = "\a\b\t\n\v\f\r\"\\";
    std::string name;
    for (size_t i = 1; i < text.size(); i++) {
        if (text[i] == '"') {
            return Quoted{name, i + 1};
        }
        if (text[i] != '\\') {
            name += text[i];
            continue;
        }
        const std::string_view rest = text.substr(i + 1);
        const size_t letter =
            rest.empty() ? std::string_view::npos : letters.find(rest[0]);
        if (letter != std::string_view::npos) {
            name += meanings[letter];
            i++;
        } else if (rest.size() >= 3 && rest[0] <= '3' &&
                   std::all_of(rest.begin(), rest.begin() + 3, is_octal)) {
            name += static_cast<char>((rest[0] - '0') * 64 + (rest[1] - '0') * 8 +
                                      (rest[2] - '0'));
            i += 3;
        } else {
            return std::nullopt;
        }
    }
    return std::nullopt;
}

// What follows the first slash; two names of one file have it in common.
std::optional<std::string_view> below_prefix(std::string_view name)
{
    const size_t slash = name.find('/');
    return slash == std::string_view::npos ? std::nullopt
                                           : std::optional(name.substr(slash + 1));
}

bool are_of_one_file(std::string_view first, std::string_view second)
{
    return first == second ||
           (below_prefix(first) && below_prefix(first) == below_prefix(second));
}

} // namespace

std::string diff_name(std::string_view text)
{
    text = without_end(text);
    if (text.starts_with('"')) {
        if (const auto quoted = unquote(text)) {
            return quoted->name;
        }
    }
    return std::string(text.substr(0, text.find('\t')));
}

std::optional<std::pair<std::string, std::string>> git_names(std::string_view text)
{
    text = without_end(text);
    if (text.starts_with('"')) {
        const auto first = unquote(text);
        if (!first || first->length >= text.size()) {
            return std::nullopt;
        }
        return std::pair(first->name, diff_name(text.substr(first->length + 1)));
    }
    for (size_t space = text.find(' '); space != std::string_view::npos;
         space = text.find(' ', space + 1)) {
        const std::string first(text.substr(0, space));
        const std::string second = diff_name(text.substr(space + 1));
        if (are_of_one_file(first, second)) {
            return std::pair(first, second);
        }
    }
    return std::nullopt;
}

std::optional<std::string> strip_name(const std::string &name, int count)
{
    std::string_view rest = name;
    for (; count > 0; count--) {
        const auto below = below_prefix(rest);
        if (!below) {
            return std::nullopt;
        }
        rest = *below;
    }
    return std::string(rest);
}

int prefix_of(const std::string &old_name, const std::string &new_name)
{
    constexpr std::pair<char, char> pairs[] = {{'a', 'b'}, {'b', 'a'}, {'i', 'w'},
                                               {'c', 'w'}, {'c', 'i'}, {'o', 'w'}};
    const auto has = [](const std::string &name, char prefix) {
        return name == no_file ||
               (name.size() > 1 && name[0] == prefix && name[1] == '/');
    };
    return std::any_of(std::begin(pairs), std::end(pairs), [&](const auto &pair) {
        return has(old_name, pair.first) && has(new_name, pair.second);
    });
}

} // namespace ap
