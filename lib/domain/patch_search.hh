#pragma once

#include "domain/patch_match.hh"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// A line of a file as hunks make it.
struct FileLine
{
    std::string text;
    int64_t number = 0;      ///< in the file before the change, from 1; 0: added
    bool is_changed = false; ///< added, so that no hunk may find it
};

/// How the indentation of a file differs from a hunk's.
struct IndentShift
{
    std::string added;   ///< the file has this before the hunk's
    std::string removed; ///< the hunk has this before the file's
};

/// A place where lines were found.
struct FoundLines
{
    size_t at = 0; ///< index of the first
    IndentShift shift;
};

/// The lines of a hunk that the file must have, which live elsewhere.
using WantedLines = std::vector<const HunkLine *>;

/// `line` without the blanks, CR and newline at its end.
std::string_view without_end_blanks(std::string_view line);

/// Looks for lines in a file, for one hunk.
class LineSearch
{
public:
    /// `lines` must outlive the object.
    explicit LineSearch(const std::vector<FileLine> &lines)
        : lines_(lines)
    {
    }

    /// Every place where `wanted` is found at that level; at MatchLevel::Context they are
    /// compared as at Blanks. Nothing once the search has taken too long.
    std::vector<FoundLines> find(const WantedLines &wanted, MatchLevel level);

    /// The place where most of `wanted` are, if any; nothing else.
    std::optional<size_t> nearest(const WantedLines &wanted) const;

    /// Whether there were more comparisons than one hunk may cost, some seconds' worth.
    bool took_too_long() const noexcept;

private:
    std::optional<IndentShift> match_straight(const WantedLines &wanted, size_t at,
                                              MatchLevel level);
    std::optional<IndentShift> match_indented(const WantedLines &wanted, size_t at);

    const std::vector<FileLine> &lines_;
    int64_t comparisons_ = 0;
};

} // namespace ap
