#pragma once

#include "domain/backup_reader.hh"
#include "domain/state.hh"
#include "wrap/archive.hh"

#include <optional>
#include <string>

namespace ap {

/// What to back up to where.
struct BackupOptions
{
    std::string output; ///< path of the file; "-" is standard output
    Compression compression = Compression::Zstd;
    int level = 3;
    std::optional<std::string> base;        ///< path of an earlier backup: incremental
    std::optional<std::string> passphrase;  ///< encrypts; also reads an encrypted base
    std::optional<std::string> signing_key; ///< as SigningKeys::secret
    bool check = false; ///< check the database for damage in an incremental one, too
    std::optional<UnixMs> now; ///< instead of the clock's time
    bool read_all = false;     ///< take no file for unchanged by its size and times
};

/// What was backed up.
struct BackupResult
{
    BackupManifest manifest;
    int64_t file_size = 0;    ///< bytes
    int64_t files_stored = 0; ///< files that are in this archive, not in its base
};

/// Backs up the database as of one moment, while others go on writing, the ledger
/// documents, the configuration and the run files. The file is written under a temporary
/// name in its directory, read back and compared with its manifest meanwhile, synced, and
/// only then given its name: it is there whole or not at all. Throws Error(TryAgain)
/// while another backup or a restore works on the same state or another backup writes to
/// the same directory.
BackupResult create_backup(const StatePaths &paths, const BackupOptions &options,
                           const Progress &progress = {});

} // namespace ap
