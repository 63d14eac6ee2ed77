#pragma once

#include "domain/tree_change.hh"

#include <string>
#include <vector>

namespace ap {

/// Keeps what a change replaces in a new directory at `path`: `manifest.json` with the
/// path of each file, its mode and the hash of what it becomes, and `old-N` with its
/// bytes. The directory has its name only once it is whole and synced.
/// Error(CannotCreate) if something is there.
void write_save_point(const std::string &path, const std::vector<TreeChange> &changes);

/// The change that brings `tree` back to the save point at `path`; see roll_back().
/// Nothing is written. Error(BadData) for a save point that is damaged.
std::vector<TreeChange> changes_back(const Tree &tree, const std::string &path,
                                     bool force);

} // namespace ap
