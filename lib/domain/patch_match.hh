#pragma once

#include "domain/patch.hh"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// How near a place must be to what a hunk says of it.
enum class MatchLevel {
    Exact,   ///< every byte
    Blanks,  ///< but for blanks and CR at line ends
    Indent,  ///< but for one and the same indentation more or less
    Context, ///< but for context lines at its ends
};

/// "exact", "blanks", "indent" or "context".
std::string_view match_level_name(MatchLevel level);

/// Where a hunk was put.
struct HunkPlace
{
    std::string header;
    int64_t line = 0;              ///< of the file as it is before the change, from 1
    std::optional<int64_t> offset; ///< from the line it states, if it states one
    MatchLevel level = MatchLevel::Exact;
};

/// Why a hunk was not put anywhere.
struct HunkRejection
{
    int line = 0; ///< of the input
    std::string header;
    std::string why;
    /// The place most like it: its line, from 1, and the first line there that differs.
    std::optional<int64_t> nearest;
    std::string expected;
    std::string found;
};

/// What hunks make of a text. `text` is of use only if none was rejected.
struct PatchedText
{
    std::string text;
    std::vector<HunkPlace> places;
    std::vector<HunkRejection> rejections;
};

/// Puts hunks into `text`, in their order. A hunk goes where its context and removed
/// lines are found; if that is several places, to the one at the line it states, provided
/// the numbers of its header agree and no hunk before it was found off its line, and
/// otherwise nowhere. Lines another hunk has changed are not matched again. `fuzz` is how
/// many context lines at either end may differ in the last resort; below 0, only exact
/// places are taken.
PatchedText patch_text(std::string_view text, const std::vector<Hunk> &hunks, int fuzz);

} // namespace ap
