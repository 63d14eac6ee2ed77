#pragma once

#include "base/bytes.hh"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

struct archive;
struct archive_entry;

namespace ap {

/// How an archive is compressed.
enum class Compression {
    None,
    Gzip,
    Zstd,
};

/// One file of a tar archive.
struct ArchiveEntry
{
    enum class Kind { File, Directory, Other };

    std::string path;
    Kind kind = Kind::File; ///< Other: a link, a device, a sparse file, ...
    int64_t size = 0;       ///< bytes; 0 for a directory
    mode_t mode = 0600;     ///< permissions only
    int64_t mtime = 0;      ///< seconds since 1970; finer times are not kept
};

/// Writes a tar archive (pax where a name needs it), compressed, to a sink.
class ArchiveWriter
{
public:
    /// `level` is that of the compressor.
    ArchiveWriter(ByteSink sink, Compression compression, int level);
    ~ArchiveWriter();
    ArchiveWriter(const ArchiveWriter &) = delete;
    ArchiveWriter &operator=(const ArchiveWriter &) = delete;

    /// Starts an entry; exactly its size is then to be written.
    void begin(const ArchiveEntry &entry);
    void write(std::string_view data);

    /// Writes what is left and the end of the archive.
    void finish();

private:
    struct Handle;

    void check(int code);

    std::unique_ptr<Handle> handle_;
};

/// Compresses bytes that are no archive into one frame (zstd) or member (gzip); such
/// pieces in a row are one stream for every reader.
std::string compress(std::string_view data, Compression compression, int level);

/// Bytes that decompressors pass over, `size` of them: a skippable frame for zstd, empty
/// members for gzip. Sizes below filler_least() but 0 cannot be made.
std::string filler(size_t size, Compression compression);

/// The least size filler() makes, but for 0.
size_t filler_least(Compression compression);

/// The headers and data of entries without the end of the archive, uncompressed: what can
/// stand before another tar stream.
std::string tar_bytes(const ArchiveEntry &entry, std::string_view data);

/// Reads a tar archive, plain or compressed with gzip or zstd, from a source. Nothing is
/// ever written to the disk. Every failure is Error(BadData) beginning with `name`.
class ArchiveReader
{
public:
    ArchiveReader(ByteSource source, std::string name);
    ~ArchiveReader();
    ArchiveReader(const ArchiveReader &) = delete;
    ArchiveReader &operator=(const ArchiveReader &) = delete;

    /// The next entry; nothing at the end of the archive.
    std::optional<ArchiveEntry> next();

    /// The next piece of the entry's data, valid until the next call; empty at its end.
    std::string_view read();

private:
    struct Handle;

    [[noreturn]] void give_up();

    std::unique_ptr<Handle> handle_;
};

/// The version of libarchive that is loaded.
std::string loaded_archive_version();

} // namespace ap
