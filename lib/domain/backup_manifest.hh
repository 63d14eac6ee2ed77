#pragma once

#include "base/clock.hh"
#include "wrap/sha256.hh"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace ap {

/// The names a backup uses for itself; nothing else may be at the top of an archive but
/// what backup_path_is_allowed() lets through.
inline constexpr std::string_view manifest_name = "manifest.jsonl";
inline constexpr std::string_view signature_name = "manifest.sig";
inline constexpr std::string_view database_name = "autopack.db";
/// Hashes of the database's pieces, for the next incremental backup.
inline constexpr std::string_view pieces_name = "autopack.db.pieces";
/// The pieces that differ from the base's database, instead of the whole database.
inline constexpr std::string_view changes_name = "autopack.db.changes";
inline constexpr std::string_view runs_name = ".autonomous_runs";
/// Settings beside the database.
inline constexpr std::string_view settings_names[] = {"ap-gate.conf", "autopack.conf"};

/// One file or directory of a backup.
struct BackupEntry
{
    std::string path;
    bool directory = false;
    int64_t size = 0;     ///< bytes in the archive
    int64_t length = 0;   ///< bytes of the file: fewer than `size` if it shrank meanwhile
    mode_t mode = 0600;   ///< permissions
    int64_t mtime_ns = 0; ///< nanoseconds since 1970
    int64_t ctime_ns = 0; ///< when the file itself last changed; 0: not known
    /// Of the `size` bytes; of the pieces' list for a database that is put together from
    /// several archives.
    Sha256 hash{};
    int from = 0; ///< 0: in this archive; n: in the n-th of the chain
};

/// An earlier backup that an incremental one needs.
struct BackupLink
{
    std::string id;
    std::string file; ///< its name when it was used as base, without directory
    Sha256 manifest{};
};

/// Something that was found and not backed up.
struct LeftOut
{
    std::string path;
    std::string reason;
};

/// What the archive says of itself, as its first entry: a JSON object a line, the header
/// first, then one for each entry in the archive's order, then what was left out.
struct BackupManifest
{
    std::string id; ///< 32 hexadecimal digits
    UnixMs created_at = 0;
    std::string program; ///< version
    int64_t schema_version = 0;
    int64_t runs = 0; ///< rows of the database
    int64_t phases = 0;
    int64_t usage_events = 0;
    int64_t events = 0;
    std::vector<BackupLink> chain; ///< nearest base first; empty for a full backup
    std::vector<BackupEntry> entries;
    std::vector<LeftOut> left_out;

    /// The entry of that path, or nullptr. Looks through all of them.
    const BackupEntry *find(std::string_view path) const;

    /// The bytes of all entries, those of the bases too.
    int64_t bytes() const;
};

/// The newest format this program writes and reads.
inline constexpr int64_t backup_format_version = 1;

/// An upper bound of the bytes that one entry (or one path left out) takes in the text.
size_t manifest_line_bound(std::string_view path);

/// An upper bound of the bytes of the header.
size_t manifest_header_bound(const std::vector<BackupLink> &chain);

std::string manifest_text(const BackupManifest &manifest);

/// Reads what manifest_text() wrote. Throws Error(BadData), beginning with `source` and
/// the line's number, for anything else, Error(Config) for a newer format.
BackupManifest parse_manifest(std::string_view text, const std::string &source);

/// Throws Error(BadData), beginning with `source`, if a path is there twice or below one
/// that is a file.
void refuse_duplicates(const BackupManifest &manifest, const std::string &source);

/// Whether a backup may hold `path`: relative, without empty, "." and ".." pieces and
/// control characters, at most 4,000 bytes, and the database's, one of the settings, or
/// below .autonomous_runs, docs or config. `what` says why not.
bool backup_path_is_allowed(std::string_view path, std::string *what = nullptr);

} // namespace ap
