#pragma once

#include "domain/backup_reader.hh"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ap {

/// Where a restore comes from, and how to trust it.
struct RestoreInput
{
    std::string path; ///< "-" is standard input
    std::optional<std::string> passphrase;
    std::optional<std::string> public_key; ///< it, and every base, must be signed with it
    std::optional<std::string> base_dir;   ///< of the bases; else where the backup is
    bool no_manifest = false;              ///< take an archive that has none
};

/// A backup with all the earlier ones it needs.
class RestoreSource
{
public:
    /// Opens them all, and sees that each is the one that was the base. Throws
    /// Error(NoInput) naming a base that is missing.
    explicit RestoreSource(const RestoreInput &input);

    /// What the backup as a whole holds.
    const BackupManifest &manifest() const noexcept
    {
        return readers_.front().manifest();
    }

    /// The backup first, then its base, and so on.
    const std::vector<BackupReader> &readers() const noexcept { return readers_; }

    /// Reads everything and compares it with the manifests.
    void verify(const Progress &progress) const;

private:
    std::vector<BackupReader> readers_;
};

} // namespace ap
