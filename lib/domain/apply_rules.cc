#include "domain/apply_rules.hh"

#include "base/glob.hh"
#include "base/text.hh"
#include "domain/secret_rule.hh"
#include "domain/tree_change.hh"

#include <algorithm>
#include <cctype>
#include <iterator>

namespace ap {

namespace {

// Pieces of a path, in lower case, that are never touched wherever they stand: what git
// and this suite keep there, and what CI services execute.
constexpr std::string_view protected_pieces[] = {
    ".autonomous_runs",
    apply_directory,
    ".gitmodules",
    "autopack.conf",
    ".github",
    ".gitlab",
    ".gitlab-ci.yml",
    ".gitea",
    ".forgejo",
    ".ci",
    ".circleci",
    ".buildkite",
    ".travis.yml",
    ".drone.yml",
    ".woodpecker",
    ".woodpecker.yml",
    ".cirrus.yml",
    "appveyor.yml",
    ".appveyor.yml",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    "jenkinsfile",
    ".builds",
    ".semaphore",
};
constexpr std::string_view database = "autopack.db";
constexpr size_t longest_path = 1024;
constexpr size_t longest_name = 255;

std::string lower(std::string_view text)
{
    std::string made(text);
    std::transform(made.begin(), made.end(), made.begin(),
                   [](unsigned char letter) { return std::tolower(letter); });
    return made;
}

// HFS+ leaves these out of names: U+200C to 200F, 202A to 202E, 206A to 206F, U+FEFF.
std::string without_ignorable(std::string_view name)
{
    std::string made;
    for (size_t i = 0; i < name.size(); i++) {
        const std::string_view rest = name.substr(i);
        const auto third = rest.size() > 2 ? static_cast<unsigned char>(rest[2]) : 0U;
        const bool ignorable =
            (rest.starts_with("\xe2\x80") &&
             ((third >= 0x8c && third <= 0x8f) || (third >= 0xaa && third <= 0xae))) ||
            (rest.starts_with("\xe2\x81") && third >= 0xaa && third <= 0xaf) ||
            rest.starts_with("\xef\xbb\xbf");
        if (ignorable) {
            i += 2;
        } else {
            made += name[i];
        }
    }
    return made;
}

// A name as the most forgiving file systems take it: case, ignorable characters, a
// stream's name behind a colon, blanks and dots at the end do not count.
std::string folded(std::string_view name)
{
    std::string made = lower(without_ignorable(name));
    made = made.substr(0, made.find(':'));
    while (made.ends_with(' ') || made.ends_with('.')) {
        made.pop_back();
    }
    return made;
}

bool is_git(std::string_view name)
{
    return name == ".git" || (name.starts_with("git~") && name.size() > 4 &&
                              std::isdigit(static_cast<unsigned char>(name[4])) != 0);
}

// The bytes of a UTF-8 character by its first byte; 0 for one that begins none.
size_t character_length(unsigned char first)
{
    if (first < 0x80) {
        return 1;
    }
    if (first < 0xc2 || first > 0xf4) {
        return 0;
    }
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

bool is_utf8(std::string_view text)
{
    while (!text.empty()) {
        const size_t length = character_length(static_cast<unsigned char>(text.front()));
        if (length == 0 || length > text.size()) {
            return false;
        }
        const std::string_view rest = text.substr(1, length - 1);
        if (!std::all_of(rest.begin(), rest.end(),
                         [](unsigned char byte) { return (byte & 0xc0) == 0x80; })) {
            return false;
        }
        text.remove_prefix(length);
    }
    return true;
}

std::optional<std::string> form_refusal(std::string_view path)
{
    if (path.empty()) {
        return "is empty";
    }
    if (path.starts_with('/')) {
        return "is an absolute path";
    }
    if (std::any_of(path.begin(), path.end(),
                    [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '\\'; })) {
        return "has control characters or backslashes in it";
    }
    if (!is_utf8(path)) {
        return "is not UTF-8";
    }
    for (const std::string_view piece : split(path, '/')) {
        if (piece == "..") {
            return "leads out of the tree";
        }
        if (piece.size() > longest_name || path.size() > longest_path) {
            return "is too long";
        }
        if (piece.empty() || piece == ".") {
            return "has an empty piece or '.' in it";
        }
    }
    return std::nullopt;
}

bool any_names(const std::vector<std::string> &globs, std::string_view path)
{
    return std::any_of(globs.begin(), globs.end(),
                       [&](const std::string &glob) { return glob_names(glob, path); });
}

} // namespace

bool is_protected_path(std::string_view path)
{
    const auto pieces = split(path, '/');
    return std::any_of(pieces.begin(), pieces.end(), [](std::string_view piece) {
        const std::string name = folded(piece);
        return is_git(name) || name.starts_with(database) || is_secret_name(name) ||
               std::find(std::begin(protected_pieces), std::end(protected_pieces),
                         name) != std::end(protected_pieces);
    });
}

std::optional<std::string> path_refusal(std::string_view path, const ApplyRules &rules)
{
    if (auto refusal = form_refusal(path)) {
        return refusal;
    }
    if (is_protected_path(path) || any_names(rules.protect, path)) {
        return "is protected";
    }
    if (!rules.scope.empty() && !any_names(rules.scope, path)) {
        return "is outside the scope";
    }
    return std::nullopt;
}

} // namespace ap
