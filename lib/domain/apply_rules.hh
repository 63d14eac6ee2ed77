#pragma once

#include "domain/patch.hh"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// What a change may touch, and how much of it. Globs are those of glob_names().
struct ApplyRules
{
    std::vector<std::string> scope;   ///< only these; empty: all that is not protected
    std::vector<std::string> protect; ///< never these, besides what is always protected
    bool allow_binary = false;
    int64_t most_files = 100;
    int64_t most_lines = 5'000;     ///< added and removed, all files together
    int64_t most_deletions = 10;    ///< files that are removed
    int64_t largest_file = 1 << 20; ///< bytes of a file before and after
};

/// Why no change may touch `path`, as one phrase ("is outside the scope"); nothing if it
/// may. Never touched are absolute paths, "..", control characters, backslashes and what
/// is not UTF-8; in whatever case, ".git" and what file systems take for it, .gitmodules,
/// .autonomous_runs, autopack.db*, autopack.conf, the files of CI services, and files
/// whose names are those of secrets (is_secret_name()).
std::optional<std::string> path_refusal(std::string_view path, const ApplyRules &rules);

/// Whether `path` is one of those that no change touches and nobody is shown, whatever
/// the scope: the second half of path_refusal()'s list.
bool is_protected_path(std::string_view path);

} // namespace ap
