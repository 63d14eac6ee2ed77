#pragma once

#include "wrap/json.hh"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// What a builder is to see of a repository. Globs are those of glob_names().
struct ContextRequest
{
    std::string directory = ".";
    std::string goal;               ///< its words raise what they occur in
    std::vector<std::string> scope; ///< files that may be changed
    std::vector<std::string> read;  ///< files to be read only
    std::vector<std::string> tests; ///< empty: what looks like tests of the scope
    std::string rules;        ///< learned ones besides those of the tree, a line each
    int64_t budget = 100'000; ///< tokens at most, see token_bound()
};

/// One thing that was considered.
struct ContextItem
{
    std::string path; ///< or "the repository map"
    std::string kind; ///< "rules", "scope", "read", "tests", "map" or "ledger"
    int64_t score = 0;
    int64_t tokens = 0;
    bool included = false; ///< whole, or what it defines
    std::string why;
};

/// What was chosen.
struct Context
{
    std::vector<ContextItem> items; ///< in the order in which they were considered
    std::string text;               ///< Markdown for a prompt
    int64_t tokens = 0;
    std::string warning; ///< why the repository map has names alone, if it has
};

/// The learned rules and ledger documents, which are shown where they are.
inline constexpr std::string_view learned_rules_file = "docs/LEARNED_RULES.md";

/// Chooses from the files that git tracks or does not ignore, the same each time for the
/// same tree. Of a file that is too long for what is left, an outline is taken if that
/// fits and ctags knows one. Never chosen are protected files (is_protected_path()),
/// files that hold what looks like a key, links, binary files and files above 256 KiB.
/// Throws Error(Failed) outside a git repository.
Context choose_context(const ContextRequest &request);

/// The choice as one JSON object, the text included.
Json context_to_json(const Context &context);

} // namespace ap
