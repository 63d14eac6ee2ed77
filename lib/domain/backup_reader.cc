#include "domain/backup_reader.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "wrap/archive.hh"

#include <algorithm>
#include <sys/stat.h>

namespace ap {

namespace {

constexpr int64_t largest_manifest = int64_t{64} << 20;
constexpr int64_t largest_signature = 1000;
constexpr int64_t largest_in_memory = int64_t{256} << 20;

[[noreturn]] void refuse(const std::string &name, const std::string &what)
{
    throw Error(ExitStatus::BadData, name + ": " + what);
}

std::string read_text(ArchiveReader &archive, const ArchiveEntry &entry, int64_t limit,
                      const std::string &name)
{
    if (entry.kind != ArchiveEntry::Kind::File || entry.size > limit) {
        refuse(name, "'" + printable(entry.path) + "' is no file, or too large");
    }
    std::string text;
    while (true) {
        const std::string_view piece = archive.read();
        if (piece.empty()) {
            return text;
        }
        text.append(piece);
        if (static_cast<int64_t>(text.size()) > limit) {
            refuse(name, "'" + printable(entry.path) + "' is too large");
        }
    }
}

ByteSource source_of(BackupInput &input)
{
    return [&input] { return input.read(); };
}

// Without the "./" that tar may put before a path and the slash after a directory's.
std::string_view clean_path(std::string_view path)
{
    if (path.starts_with("./")) {
        path.remove_prefix(2);
    }
    if (path.ends_with('/')) {
        path.remove_suffix(1);
    }
    return path;
}

// The entry at which the archive stands must be `expected`.
void require_entry(const std::optional<ArchiveEntry> &found, const BackupEntry &expected,
                   const std::string &name)
{
    if (!found) {
        refuse(name, "ends before '" + printable(expected.path) + "'");
    }
    const std::string_view path = clean_path(found->path);
    const auto kind =
        expected.directory ? ArchiveEntry::Kind::Directory : ArchiveEntry::Kind::File;
    if (path != expected.path || found->kind != kind || found->size != expected.size) {
        refuse(name, "expected '" + printable(expected.path) + "' of " +
                         std::to_string(expected.size) + " bytes, got '" +
                         printable(found->path) + "' of " + std::to_string(found->size));
    }
}

void read_data(ArchiveReader &archive, const BackupEntry &entry,
               const EntryVisitor &visit, const std::string &name)
{
    Sha256Stream hash;
    int64_t size = 0;
    while (true) {
        const std::string_view piece = archive.read();
        if (piece.empty()) {
            break;
        }
        size += static_cast<int64_t>(piece.size());
        hash.add(piece);
        if (visit && size <= entry.size) {
            visit(entry, piece);
        }
    }
    if (size != entry.size || (!entry.directory && hash.finish() != entry.hash)) {
        refuse(name, "'" + printable(entry.path) + "' is not what the manifest says");
    }
}

} // namespace

BackupReader::BackupReader(Fd file, std::string name,
                           std::optional<std::string> passphrase)
    : file_(std::move(file))
    , name_(std::move(name))
    , passphrase_(std::move(passphrase))
{
    BackupInput input(file_.get(), name_, passphrase_);
    ArchiveReader archive(source_of(input), name_);
    const std::optional<ArchiveEntry> first = archive.next();
    if (!first || first->path != manifest_name) {
        refuse(name_, "has no manifest; an archive of the seed system can be read with "
                      "--no-manifest");
    }
    const std::string text = read_text(archive, *first, largest_manifest, name_);
    manifest_hash_ = sha256(text);
    manifest_ = parse_manifest(text, name_ + ": " + std::string(manifest_name));
    const std::optional<ArchiveEntry> second = archive.next();
    if (second && second->path == signature_name) {
        signature_ = read_text(archive, *second, largest_signature, name_);
    }
}

BackupReader::BackupReader(Fd file, std::string name)
    : file_(std::move(file))
    , name_(std::move(name))
    , plain_(true)
{
}

BackupReader BackupReader::without_manifest(Fd file, std::string name)
{
    BackupReader reader(std::move(file), std::move(name));
    BackupInput input(reader.file_.get(), reader.name_, std::nullopt);
    ArchiveReader archive(source_of(input), reader.name_);
    while (const std::optional<ArchiveEntry> found = archive.next()) {
        const std::string path(clean_path(found->path));
        if (path.empty() || path == ".") {
            continue;
        }
        reader.manifest_.entries.push_back(
            measure_entry(archive, *found, path, reader.name_));
    }
    refuse_duplicates(reader.manifest_, reader.name_);
    return reader;
}

void BackupReader::require_signature(std::string_view open) const
{
    if (signature_.empty()) {
        refuse(name_, "is not signed");
    }
    if (!is_signed(to_hex(manifest_hash_), signature_, open)) {
        refuse(name_, "is not signed by the owner of that key");
    }
}

void BackupReader::read(const EntryVisitor &visit, const Progress &progress) const
{
    static_cast<void>(read_until(nullptr, visit, progress));
}

std::string BackupReader::read_entry(std::string_view path) const
{
    const std::string wanted(path);
    std::string data;
    const auto collect = [&](const BackupEntry &entry, std::string_view piece) {
        if (entry.path == wanted) {
            data.append(piece);
            if (static_cast<int64_t>(data.size()) > largest_in_memory) {
                refuse(name_, "'" + printable(wanted) + "' is too large");
            }
        }
    };
    if (!read_until(&wanted, collect, {})) {
        refuse(name_, "has no '" + printable(wanted) + "'");
    }
    return data;
}

bool BackupReader::read_until(const std::string *path, const EntryVisitor &visit,
                              const Progress &progress) const
{
    const int64_t total = file_size();
    BackupInput input(file_.get(), name_, passphrase_);
    ArchiveReader archive(
        [&] {
            if (progress) {
                progress(input.position(), total);
            }
            return input.read();
        },
        name_);
    std::optional<ArchiveEntry> found = pass_manifest(archive);
    for (const BackupEntry &entry : manifest_.entries) {
        if (entry.from != 0) {
            continue;
        }
        require_entry(found, entry, name_);
        read_data(archive, entry, visit, name_);
        if (visit) {
            visit(entry, {});
        }
        if (path != nullptr && entry.path == *path) {
            return true;
        }
        found = next_entry(archive);
    }
    if (found) {
        refuse(name_, "has '" + printable(found->path) +
                          "', of which its manifest says "
                          "nothing");
    }
    return false;
}

// The next entry that is not just "./".
std::optional<ArchiveEntry> BackupReader::next_entry(ArchiveReader &archive) const
{
    std::optional<ArchiveEntry> found = archive.next();
    while (plain_ && found && (clean_path(found->path).empty() || found->path == ".")) {
        found = archive.next();
    }
    return found;
}

// The first entry behind the manifest, which must still be the same.
std::optional<ArchiveEntry> BackupReader::pass_manifest(ArchiveReader &archive) const
{
    if (plain_) {
        return next_entry(archive);
    }
    std::optional<ArchiveEntry> found = archive.next();
    if (!found || found->path != manifest_name ||
        sha256(read_text(archive, *found, largest_manifest, name_)) != manifest_hash_) {
        refuse(name_, "changed while it was read");
    }
    found = archive.next();
    if (found && found->path == signature_name) {
        static_cast<void>(read_text(archive, *found, largest_signature, name_));
        found = archive.next();
    }
    return found;
}

int64_t BackupReader::file_size() const
{
    struct stat status = {};
    if (fstat(file_.get(), &status) != 0) {
        throw_errno("cannot look at '" + name_ + "'");
    }
    return status.st_size;
}

BackupEntry measure_entry(ArchiveReader &archive, const ArchiveEntry &found,
                          const std::string &path, const std::string &name)
{
    std::string what;
    if (found.kind == ArchiveEntry::Kind::Other) {
        what = "is neither a file nor a directory";
    }
    if (!what.empty() || !backup_path_is_allowed(path, &what)) {
        refuse(name, "'" + printable(found.path) + "' " + what);
    }
    BackupEntry entry;
    entry.path = path;
    entry.directory = found.kind == ArchiveEntry::Kind::Directory;
    entry.size = found.size;
    entry.length = found.size;
    entry.mode = found.mode & 0777;
    entry.mtime_ns = found.mtime * 1'000'000'000;
    Sha256Stream hash;
    int64_t size = 0;
    for (std::string_view piece = archive.read(); !piece.empty();
         piece = archive.read()) {
        hash.add(piece);
        size += static_cast<int64_t>(piece.size());
    }
    if (size != entry.size) {
        refuse(name, "'" + printable(found.path) + "' is not as long as it says");
    }
    entry.hash = hash.finish();
    return entry;
}

bool has_manifest(int fd, const std::string &name)
{
    if (read_label(fd, name)) {
        return true;
    }
    BackupInput input(fd, name, std::nullopt);
    ArchiveReader archive(source_of(input), name);
    const std::optional<ArchiveEntry> first = archive.next();
    return first && first->path == manifest_name;
}

} // namespace ap
