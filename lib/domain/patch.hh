#pragma once

#include "domain/patch_binary.hh"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace ap {

/// The forms of a change that are read; ap-apply(1) describes each.
enum class PatchFormat {
    Auto,  ///< whichever of them the text looks like
    Diff,  ///< unified diff, of git or plain
    Files, ///< whole files: "FILE: PATH" and a fenced block
    Edits, ///< SEARCH/REPLACE blocks
    Json,  ///< {"files": [...]}
};

/// "auto", "diff", "files", "edits" or "json".
std::string_view patch_format_name(PatchFormat format);

/// The format of that name; nothing for another.
std::optional<PatchFormat> patch_format_from(std::string_view name);

/// One line of a hunk: context (' '), removed ('-') or added ('+'). The text has its line
/// end, unless the file ends there without one.
struct HunkLine
{
    char kind = ' ';
    std::string text;
};

/// One place of a file that is changed.
struct Hunk
{
    int line = 0;       ///< of the input where it begins, from 1
    std::string header; ///< as messages name it: "@@ -1,3 +1,4 @@", "SEARCH"
    /// The line numbers it states, from 1; nothing if it states none.
    std::optional<int64_t> old_start;
    std::optional<int64_t> new_start;
    std::vector<HunkLine> lines;
    /// An edit that need not begin and end with a line: then the text that is to be found
    /// once, and what takes its place. `lines` has the same for tolerant matching.
    std::optional<std::string> search;
    std::string replace;
};

enum class FileAction {
    Modify, ///< hunks; a file with nothing to find that is not there is made
    Create, ///< content; must not be there
    Write,  ///< content; made or replaced
    Delete, ///< hunks say what it holds, if there are any
    Rename, ///< from `source`, then hunks
    Copy,
};

/// "modify", "create", ...
std::string_view file_action_name(FileAction action);

/// What happens to one file. Paths are as the input has them, unquoted and stripped, and
/// may be anything: see ApplyRules.
struct FilePatch
{
    int line = 0;
    FileAction action = FileAction::Modify;
    std::string path;
    std::string source;         ///< of Rename and Copy
    std::optional<mode_t> mode; ///< permission bits it is to have: 0644, 0755
    std::vector<Hunk> hunks;
    std::string content;                       ///< of Create and Write
    bool binary = false;                       ///< came in a binary form
    std::optional<BinaryChange> binary_change; ///< in place of hunks and content
};

/// A change as read, not yet held against any tree.
struct Patch
{
    PatchFormat format = PatchFormat::Auto;
    std::vector<FilePatch> files;
};

/// How the input is read.
struct PatchReading
{
    PatchFormat format = PatchFormat::Auto;
    /// Leading pieces that are taken off paths of diffs; nothing: "a/" and "b/" where
    /// both names have theirs.
    std::optional<int> strip;
    bool reverse = false; ///< diffs only: what was added is removed, and so on
};

/// Reads a change with whatever prose and fences there is around it. Throws
/// Error(BadData) "line N: expected ..., got ..." for one that is malformed or cut off,
/// and for a text without any change in it.
Patch parse_patch(std::string_view input, const PatchReading &reading = {});

} // namespace ap
