#pragma once

#include "domain/backup_manifest.hh"
#include "domain/state.hh"

#include <string>
#include <string_view>
#include <sys/stat.h>
#include <vector>

namespace ap {

/// The files of an installation that go into a backup, without the database.
struct BackupScan
{
    std::vector<BackupEntry> entries; ///< sorted by path; hashes not known yet
    std::vector<LeftOut> left_out;
};

/// Looks for the ledger documents, the files of config/ and everything in the runs
/// directory. Links are not followed; they, files taken to hold secrets (secret_rule.hh),
/// and names that are no UTF-8 text are left out. FIFOs, sockets and the files of running
/// processes hold nothing to keep and are not mentioned.
BackupScan scan_files(const StatePaths &paths);

/// Sets the size and the times of a file's entry.
void set_status(BackupEntry &entry, const struct stat &status);

/// Where the file `path` of a backup is on this machine.
std::string place_of(const StatePaths &paths, std::string_view path);

} // namespace ap
