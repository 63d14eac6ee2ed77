#pragma once

#include "domain/state.hh"

#include <string>
#include <vector>

namespace ap {

/// One file or directory that changes places.
struct SwapItem
{
    std::string live; ///< where it belongs
    std::string
        staged;        ///< the new one; afterwards what was there before, if anything was
    bool away = false; ///< there is no new one: what is at `live` goes to `staged`
};

/// A directory in which new things were made ready, and the name it gets once the old
/// ones are in it.
struct SwapDirectory
{
    std::string staging;
    std::string kept; ///< empty: it is removed, as there was nothing before
};

/// Everything that changes places as one.
struct Swap
{
    std::vector<SwapItem> items;
    std::vector<SwapDirectory> directories;
};

/// Makes the items change places. What is to be done is first written, synced, to a note
/// in the state directory (.autopack-restore.json): if this process dies at any moment
/// after that, whoever opens the state next does what is left, so that nobody ever works
/// with one half. The new things must be synced. Hold the lock of the state directory.
void perform_swap(const StatePaths &paths, const Swap &swap);

/// Whether a restore was begun and not ended.
bool is_swap_pending(const StatePaths &paths);

/// Ends a restore whose process died; does nothing if there is none. Hold the lock of the
/// state directory.
void finish_swap(const StatePaths &paths);

/// The same for those who only open the state, taking the lock. Throws Error(TryAgain) if
/// a restore is under way.
void finish_interrupted_restore(const StatePaths &paths);

} // namespace ap
