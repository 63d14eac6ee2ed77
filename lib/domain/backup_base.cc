#include "domain/backup_base.hh"

#include <algorithm>
#include <fcntl.h>

namespace ap {

BackupBase::BackupBase(const std::string &path,
                       const std::optional<std::string> &passphrase)
    : reader_(open_file(path, O_RDONLY), "'" + path + "'", passphrase)
    , file_(path.substr(path.rfind('/') + 1))
    , pieces_(reader_.read_entry(pieces_name))
{
    for (const BackupEntry &entry : reader_.manifest().entries) {
        sorted_.push_back(&entry);
    }
    std::sort(sorted_.begin(), sorted_.end(),
              [](const auto *one, const auto *other) { return one->path < other->path; });
}

std::vector<BackupLink> BackupBase::chain() const
{
    const BackupManifest &manifest = reader_.manifest();
    std::vector<BackupLink> links{{manifest.id, file_, reader_.manifest_hash()}};
    links.insert(links.end(), manifest.chain.begin(), manifest.chain.end());
    return links;
}

const BackupEntry *BackupBase::find(std::string_view path) const
{
    const auto found = std::lower_bound(
        sorted_.begin(), sorted_.end(), path,
        [](const BackupEntry *one, std::string_view other) { return one->path < other; });
    return found != sorted_.end() && (*found)->path == path ? *found : nullptr;
}

const BackupEntry *BackupBase::unchanged(const BackupEntry &entry) const
{
    constexpr int64_t uncertain_ns = 2'000'000'000;
    const BackupEntry *before = find(entry.path);
    const int64_t made_ns = reader_.manifest().created_at * 1'000'000;
    const bool same =
        before != nullptr && !before->directory && before->length == entry.size &&
        before->mtime_ns == entry.mtime_ns && before->ctime_ns == entry.ctime_ns &&
        entry.ctime_ns != 0 && entry.ctime_ns < made_ns - uncertain_ns;
    return same ? before : nullptr;
}

} // namespace ap
