#pragma once

#include "domain/backup_manifest.hh"
#include "domain/database_pieces.hh"
#include "wrap/archive.hh"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace ap {

/// What a backup begins with: its manifest, a signature if there is one, and the hashes
/// of the database's pieces. It is known when all else is written, so there must be room.
struct BackupHead
{
    std::string manifest;  ///< manifest_text()
    std::string signature; ///< empty: none
    UnixMs created_at = 0;
    const Pieces &pieces;
};

/// An upper bound of the bytes of the head, whatever becomes of the entries of
/// `manifest`, with a database of `database_size` bytes.
size_t head_bound(const BackupManifest &manifest, int64_t database_size);

/// The head as the beginning of an archive, of `size` bytes: what is not needed is filled
/// with bytes that decompressors pass over. Throws Error(Bug) if `size` is too small.
std::string head_bytes(const BackupHead &head, size_t size, Compression compression,
                       int level);

/// Reads what head_bytes() gave from `archive`, as whoever restores the backup will.
/// Throws Error(BadData) beginning with `name` unless it has exactly what `head` says.
void require_head(ArchiveReader &archive, const BackupHead &head,
                  const std::string &name);

} // namespace ap
