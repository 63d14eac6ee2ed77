#pragma once

#include "domain/backup_container.hh"
#include "domain/backup_manifest.hh"
#include "sys/fd.hh"
#include "wrap/archive.hh"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace ap {

/// Told every now and then how many of how many bytes are done; what it throws ends the
/// work, which then leaves things as they were.
using Progress = std::function<void(int64_t done, int64_t total)>;

/// Gets an entry's data piece by piece, and then an empty piece: the entry is whole and
/// its hash is right. A directory has the empty piece only.
using EntryVisitor =
    std::function<void(const BackupEntry &entry, std::string_view piece)>;

/// A backup's file. Everything it says is checked against the manifest, and nothing is
/// ever written. All failures are Error(BadData) beginning with the file's name.
class BackupReader
{
public:
    /// Reads the manifest. `name` is for messages. Throws Error(BadData) if the file is
    /// no archive, is encrypted and the passphrase is missing or wrong, or has no
    /// manifest.
    BackupReader(Fd file, std::string name, std::optional<std::string> passphrase);

    /// Takes an archive that has no manifest, as the seed system makes it: reads it whole
    /// and makes one of what is there. Only what a backup may hold may be in it, each
    /// path once, and nothing but files and directories; what was changed in it, nobody
    /// can tell.
    static BackupReader without_manifest(Fd file, std::string name);

    const BackupManifest &manifest() const noexcept { return manifest_; }
    const std::string &name() const noexcept { return name_; }

    /// Of the manifest's text.
    const Sha256 &manifest_hash() const noexcept { return manifest_hash_; }

    /// Throws Error(BadData) unless the owner of the public key `open` signed the
    /// manifest, and with it the hash of everything else.
    void require_signature(std::string_view open) const;

    /// Goes through the archive to its end: the entries that the manifest says are in it,
    /// in that order, no other, each with its size and hash. `visit` may be empty.
    void read(const EntryVisitor &visit, const Progress &progress = {}) const;

    /// The data of one entry of this archive, without reading on behind it.
    std::string read_entry(std::string_view path) const;

    /// Bytes of the file.
    int64_t file_size() const;

private:
    BackupReader(Fd file, std::string name);
    std::optional<ArchiveEntry> next_entry(ArchiveReader &archive) const;
    std::optional<ArchiveEntry> pass_manifest(ArchiveReader &archive) const;
    bool read_until(const std::string *path, const EntryVisitor &visit,
                    const Progress &progress) const;

    Fd file_;
    std::string name_;
    std::optional<std::string> passphrase_;
    BackupManifest manifest_;
    Sha256 manifest_hash_{};
    std::string signature_; // empty: not signed
    bool plain_ = false;    // without a manifest
};

/// What the archive itself says of the entry at which it stands, with the hash of its
/// data, which is read to the end. Throws Error(BadData), beginning with `name`, for what
/// no backup may hold; `path` is the entry's, cleaned.
BackupEntry measure_entry(ArchiveReader &archive, const ArchiveEntry &found,
                          const std::string &path, const std::string &name);

/// Whether the archive begins with a manifest, as far as that can be told without a
/// passphrase: an encrypted one does.
bool has_manifest(int fd, const std::string &name);

} // namespace ap
