#include "domain/secret_rule.hh"

#include <algorithm>
#include <cctype>
#include <cstddef>

namespace ap {

namespace {

constexpr std::string_view exact_names[] = {".env",       ".git-credentials", ".netrc",
                                            ".pgpass",    "id_rsa",           "id_ecdsa",
                                            "id_ed25519", "auth.json"};
constexpr std::string_view endings[] = {".env", ".key", ".pem", ".p12", ".pfx", ".kdbx"};
constexpr std::string_view parts[] = {"secret",  "credential", "password", "passphrase",
                                      "api_key", "api-key",    "apikey"};
constexpr std::string_view key_prefixes[] = {"sk-",  "ghp_",  "github_pat_", "AIza",
                                             "AKIA", "xoxb-", "glpat-",      "apk-"};

bool is_key_character(char character)
{
    return std::isalnum(static_cast<unsigned char>(character)) != 0 || character == '-' ||
           character == '_';
}

bool holds_key(std::string_view text, std::string_view prefix)
{
    constexpr size_t shortest = 16;
    for (size_t at = text.find(prefix); at != std::string_view::npos;
         at = text.find(prefix, at + 1)) {
        const std::string_view rest = text.substr(at + prefix.size());
        const auto end = std::find_if_not(rest.begin(), rest.end(), is_key_character);
        if ((at == 0 || !is_key_character(text[at - 1])) &&
            end - rest.begin() >= static_cast<std::ptrdiff_t>(shortest)) {
            return true;
        }
    }
    return false;
}

} // namespace

bool is_secret_name(std::string_view name)
{
    std::string lower(name);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char letter) { return std::tolower(letter); });
    return std::find(std::begin(exact_names), std::end(exact_names), lower) !=
               std::end(exact_names) ||
           lower.starts_with(".env.") ||
           std::any_of(std::begin(endings), std::end(endings),
                       [&](auto ending) { return lower.ends_with(ending); }) ||
           std::any_of(std::begin(parts), std::end(parts),
                       [&](auto part) { return lower.find(part) != std::string::npos; });
}

bool holds_secret(std::string_view text)
{
    return text.find("PRIVATE KEY-----") != std::string_view::npos ||
           std::any_of(std::begin(key_prefixes), std::end(key_prefixes),
                       [&](auto prefix) { return holds_key(text, prefix); });
}

} // namespace ap
