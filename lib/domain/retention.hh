#pragma once

#include "base/clock.hh"
#include "domain/backup_reader.hh"

#include <optional>
#include <string>
#include <vector>

namespace ap {

/// How many days, weeks and months keep their newest backup. A period in which no backup
/// was made is not counted, so that old ones do not go because new ones stay away.
struct RetentionRules
{
    int64_t daily = 7;
    int64_t weekly = 4; ///< ISO weeks
    int64_t monthly = 6;
};

/// A backup as retention sees it.
struct RetainedFile
{
    std::string name; ///< without directory
    std::string id;
    std::string base; ///< id of the backup it needs; empty if none
    UnixMs created_at = 0;
    int64_t size = 0; ///< bytes
};

/// What becomes of one file, and why.
struct RetentionVerdict
{
    RetainedFile file;
    bool keep = false;
    std::string reason;
};

/// Decides about `files`; newest first in the result. Kept are the newest of each of the
/// last days, weeks and months (local time), files whose names begin with "pre-upgrade-",
/// and whatever one that is kept needs as base. Reads nothing.
std::vector<RetentionVerdict> judge_backups(std::vector<RetainedFile> files,
                                            const RetentionRules &rules);

/// The backups in `directory`, without reading more than what they say of themselves;
/// files that are none, damaged or encrypted without a label are left out.
std::vector<RetainedFile> find_backups(const std::string &directory);

/// What prune_backups() is to do.
struct PruneOptions
{
    std::string directory;
    RetentionRules rules;
    std::optional<std::string> passphrase; ///< to verify encrypted backups
    bool dry_run = false;
};

/// What it did, or would do.
struct PruneResult
{
    std::vector<RetentionVerdict> verdicts;
    std::vector<LeftOut> ignored; ///< archives that are no backups, or damaged; they stay
    std::string verified;         ///< name of the newest backup that was found good
    int64_t removed = 0;          ///< files
    int64_t removed_bytes = 0;
};

/// Removes the backups of a directory that the rules do not keep, and what backups that
/// were killed have left. Before anything is removed the newest backup is verified with
/// all it needs; if it is not good, the next, and so on: the newest good one stays
/// whatever the rules say, and if there is none nothing is removed (Error(Failed)).
/// Throws Error(TryAgain) while a backup is written to the directory.
PruneResult prune_backups(const PruneOptions &options, const Progress &progress = {});

} // namespace ap
