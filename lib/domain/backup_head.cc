#include "domain/backup_head.hh"

#include "base/error.hh"

namespace ap {

namespace {

void expect(ArchiveReader &archive, std::string_view path, std::string_view text,
            const std::string &name)
{
    const std::optional<ArchiveEntry> found = archive.next();
    bool same = found && found->path == path;
    for (auto data = archive.read(); same && !data.empty(); data = archive.read()) {
        same = text.starts_with(data);
        text.remove_prefix(same ? data.size() : 0);
    }
    if (!same || !text.empty()) {
        throw Error(ExitStatus::BadData,
                    name + ": its '" + std::string(path) + "' is not what was written");
    }
}

} // namespace

size_t head_bound(const BackupManifest &manifest, int64_t database_size)
{
    constexpr size_t signature_bound = 2048; // headers, 128 digits, padding
    constexpr size_t headers_and_padding = 4096;
    size_t bound = manifest_header_bound(manifest.chain) +
                   static_cast<size_t>(pieces_length(database_size));
    for (const std::string_view name : {database_name, pieces_name, changes_name}) {
        bound += manifest_line_bound(name);
    }
    for (const BackupEntry &entry : manifest.entries) {
        bound += manifest_line_bound(entry.path);
    }
    for (const LeftOut &left : manifest.left_out) {
        bound += manifest_line_bound(left.path);
    }
    // What does not compress gets longer by much less than a part in 64.
    return bound + bound / 64 + signature_bound + headers_and_padding;
}

std::string head_bytes(const BackupHead &head, size_t size, Compression compression,
                       int level)
{
    std::string bytes;
    const auto add = [&](std::string_view path, const std::string &text) {
        ArchiveEntry entry;
        entry.path = path;
        entry.size = static_cast<int64_t>(text.size());
        entry.mtime = head.created_at / 1000;
        bytes += tar_bytes(entry, text);
    };
    add(manifest_name, head.manifest);
    if (!head.signature.empty()) {
        add(signature_name, head.signature);
    }
    add(pieces_name, head.pieces);
    std::string packed = compress(bytes, compression, level);
    if (packed.size() + filler_least(compression) > size) {
        throw Error(ExitStatus::Bug, "the manifest is larger than it can be");
    }
    packed += filler(size - packed.size(), compression);
    return packed;
}

void require_head(ArchiveReader &archive, const BackupHead &head, const std::string &name)
{
    expect(archive, manifest_name, head.manifest, name);
    if (!head.signature.empty()) {
        expect(archive, signature_name, head.signature, name);
    }
    expect(archive, pieces_name, head.pieces, name);
}

} // namespace ap
