#pragma once

#include "domain/backup_reader.hh"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// The earlier backup that an incremental one starts from.
class BackupBase
{
public:
    /// Opens it and reads the hashes of its database's pieces.
    BackupBase(const std::string &path, const std::optional<std::string> &passphrase);

    /// It and the backups it needs itself, as the new backup has to name them.
    std::vector<BackupLink> chain() const;

    /// Its entry of that path, or nullptr.
    const BackupEntry *find(std::string_view path) const;

    /// Its entry of the same file, if that is unchanged: same path, size, time of
    /// modification, and time of change, which programs cannot set; nullptr otherwise. A
    /// file that changed within two seconds before the base was made may have changed
    /// later in the same tick of its clock, and is never taken for unchanged.
    const BackupEntry *unchanged(const BackupEntry &entry) const;

    const std::string &pieces() const noexcept { return pieces_; }
    const std::string &id() const noexcept { return reader_.manifest().id; }

private:
    BackupReader reader_;
    std::string file_; ///< its name without directory
    std::string pieces_;
    std::vector<const BackupEntry *> sorted_;
};

} // namespace ap
