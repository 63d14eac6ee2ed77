#pragma once

#include "sys/tree.hh"

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace ap {

/// A file's bytes and permission bits.
struct FileState
{
    std::string bytes;
    mode_t mode = 0644;

    bool operator==(const FileState &) const = default;
};

/// One file of a change; a missing state is a missing file.
struct TreeChange
{
    std::string path;
    std::optional<FileState> before;
    std::optional<FileState> after;
};

/// The directory in a tree's root that holds what a change under way needs to be undone.
/// It is there only while one is written, or after a process was killed in that.
inline constexpr const char *apply_directory = ".autopack-apply";

/// Makes all of a change or none of it. The new files and copies of the old ones are
/// written and synced first, then a journal; from there on a process that is killed, or a
/// machine that loses power, leaves a change that the next finish_change() undoes to the
/// byte. The caller holds the lock of the tree. If writing fails, what was done is undone
/// and the error goes on. With `save_point`, the old files are also kept in a new
/// directory of that path, for roll_back(). Throws Error(TryAgain) if a file is no longer
/// what `before` says.
void write_change(const Tree &tree, const std::vector<TreeChange> &changes,
                  const std::optional<std::string> &save_point);

/// Undoes what a killed write_change() left half done and clears up after it. True if
/// there was something to undo. The caller holds the lock of the tree.
bool finish_change(const Tree &tree);

/// Brings the files of a save point back to the byte, all or none, and removes those that
/// the change made. Each must be as the change left it, or be back already; otherwise
/// Error(Failed) names it, unless `force`. The paths that were brought back.
std::vector<std::string> roll_back(const Tree &tree, const std::string &save_point,
                                   bool force);

} // namespace ap
