#pragma once

#include "domain/restore_source.hh"
#include "domain/state.hh"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace ap {

/// What to restore.
struct RestoreOptions
{
    std::vector<std::string>
        only; ///< paths in the backup, with all below; empty: everything
    std::chrono::milliseconds wait{0}; ///< for others to let the state go
};

/// What was restored.
struct RestoreResult
{
    int64_t files = 0;
    int64_t bytes = 0;
    int schema_from = 0; ///< of the backup's database; 0 if it was not restored
    int schema_to = 0;
    std::string rollback; ///< directory with what was there before; empty if nothing was
    std::vector<std::string> findings; ///< invariants that do not hold in the backup
};

/// Puts the backup in the place of the state at `paths`: the database, brought up to this
/// program's schema; the runs directory as a whole; documents and configuration file by
/// file. Everything is verified before anything is touched, made ready beside the state,
/// synced, and put in place in one step that survives a crash (restore_swap.hh); what was
/// there is kept in a directory autopack-rollback-DATE. Throws Error(BadData) for a
/// backup that is not sound, Error(TryAgain) while processes have the state open for
/// longer than `wait`, Error(InputOutput) if the disk has no room for it.
RestoreResult restore_backup(const RestoreSource &source, const StatePaths &paths,
                             const RestoreOptions &options,
                             const Progress &progress = {});

/// Says what restore_backup() would do, after verifying the backup as a stream; nothing
/// is written. Throws as it does.
RestoreResult plan_restore(const RestoreSource &source, const StatePaths &paths,
                           const RestoreOptions &options, const Progress &progress = {});

/// Restores the backup to a directory below TMPDIR, checks its database, and removes it
/// all again: what a backup has to stand to be one.
RestoreResult rehearse_restore(const RestoreSource &source,
                               const Progress &progress = {});

/// Whether `path` is one of `only` or below one; true if that is empty.
bool is_selected(std::string_view path, const std::vector<std::string> &only);

} // namespace ap
