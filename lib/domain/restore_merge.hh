#pragma once

#include "domain/restore_source.hh"
#include "domain/state.hh"

#include <string>
#include <vector>

namespace ap {

/// What merge_backup() did.
struct MergeResult
{
    std::vector<std::string> added;
    std::vector<std::string> present; ///< not touched
};

/// Adds the runs of the backup that do not exist here, with everything recorded of them
/// and their directories; run ids are kept, numbers of rows are moved behind those used
/// here. Executors may go on meanwhile.
MergeResult merge_backup(const RestoreSource &source, const StatePaths &paths,
                         const Progress &progress = {});

} // namespace ap
