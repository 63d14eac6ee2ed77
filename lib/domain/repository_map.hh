#pragma once

#include "domain/file_relevance.hh"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace ap {

/// What files define, as Universal Ctags tells it: of each path lines such as
/// "12 function name(signature)", in their order.
using Outlines = std::map<std::string, std::vector<std::string>>;

/// The outlines of `paths`, which are relative to `directory`; of files that define
/// nothing there is none. The repository's own ctags configuration does not count.
/// Throws Error(Unavailable) if there is no Universal Ctags with JSON output.
Outlines outline_files(const std::string &directory,
                       const std::vector<std::string> &paths);

/// A map of a repository, as text.
struct RepositoryMap
{
    std::string text;
    int64_t tokens = 0; ///< see token_bound()
    std::string why;    ///< what is in it, in numbers
};

/// Draws the map in at most `budget` tokens: the names of the files, for which it takes
/// up to half of that, then what they define, beginning with those to which the goal's
/// words lead.
RepositoryMap repository_map(const std::set<std::string> &paths, const Outlines &outlines,
                             const GoalWords &words, int64_t budget);

} // namespace ap
