#include "domain/backup.hh"

#include "base/error.hh"
#include "domain/backup_base.hh"
#include "domain/backup_scan.hh"
#include "domain/database_pieces.hh"
#include "domain/database_snapshot.hh"
#include "domain/restore_swap.hh"
#include "sys/file_lock.hh"
#include "sys/output_file.hh"
#include "sys/path.hh"
#include "sys/process.hh"
#include "wrap/zstd.hh"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>

namespace ap {

namespace {

constexpr size_t block = 262144;
constexpr int zstd_threads = 2;
constexpr size_t signature_bound = 2048; // headers, 128 digits, padding

// One backup under way.
class Backup
{
public:
    Backup(const StatePaths &paths, const BackupOptions &options,
           const Progress &progress)
        : paths_(paths)
        , options_(options)
        , progress_(progress)
    {
    }

    BackupResult run(OutputFile &output);

private:
    void prepare();
    size_t head_size() const;
    void write_body(BackupOutput &output);
    void write_database(ArchiveWriter &archive);
    void write_files(ArchiveWriter &archive);
    bool write_file(ArchiveWriter &archive, BackupEntry &entry);
    void write_data(ArchiveWriter &archive, BackupEntry &entry, int fd);
    void store(ArchiveWriter &archive, const BackupEntry &entry);
    void advance(size_t bytes);
    std::string head(size_t size) const;

    const StatePaths &paths_;
    const BackupOptions &options_;
    const Progress &progress_;
    std::unique_ptr<BackupBase> base_;
    BackupScan scan_;
    std::unique_ptr<DatabaseSnapshot> snapshot_;
    DatabasePieces pieces_;
    BackupManifest manifest_;
    std::string buffer_ = std::string(block, '\0');
    int64_t done_ = 0;
    int64_t total_ = 0;
    int64_t files_stored_ = 0;
};

void Backup::prepare()
{
    if (options_.base) {
        base_ = std::make_unique<BackupBase>(*options_.base, options_.passphrase);
        manifest_.chain = base_->chain();
    }
    manifest_.id = random_token().substr(0, 32);
    manifest_.created_at = SystemClock().now();
    manifest_.program = AP_VERSION;
    // The files come after the database: what it says is in them, is.
    snapshot_ = std::make_unique<DatabaseSnapshot>(paths_);
    manifest_.schema_version = snapshot_->schema_version();
    manifest_.runs = snapshot_->count("runs");
    manifest_.phases = snapshot_->count("phases");
    manifest_.usage_events = snapshot_->count("llm_usage_events");
    manifest_.events = snapshot_->count("events");
    pieces_ = read_pieces(snapshot_->fd(), paths_.database);
    scan_ = scan_files(paths_);
    manifest_.left_out = scan_.left_out;
    total_ = pieces_.size;
    for (const BackupEntry &entry : scan_.entries) {
        total_ += entry.size;
    }
}

// Room for the manifest, whatever it will say.
size_t Backup::head_size() const
{
    size_t bound = manifest_header_bound(manifest_.chain);
    for (const std::string_view name : {database_name, pieces_name, changes_name}) {
        bound += manifest_line_bound(name);
    }
    for (const BackupEntry &entry : scan_.entries) {
        bound += manifest_line_bound(entry.path);
    }
    for (const LeftOut &left : scan_.left_out) {
        bound += manifest_line_bound(left.path);
    }
    constexpr size_t headers_and_padding = 4096;
    return bound + bound / 64 + signature_bound + headers_and_padding;
}

void Backup::advance(size_t bytes)
{
    done_ += static_cast<int64_t>(bytes);
    if (progress_) {
        progress_(std::min(done_, total_), total_);
    }
}

void Backup::store(ArchiveWriter &archive, const BackupEntry &entry)
{
    ArchiveEntry header;
    header.path = entry.path;
    header.kind =
        entry.directory ? ArchiveEntry::Kind::Directory : ArchiveEntry::Kind::File;
    header.size = entry.size;
    header.mode = entry.mode;
    header.mtime = entry.mtime_ns / 1'000'000'000;
    archive.begin(header);
    files_stored_ += entry.directory ? 0 : 1;
}

void Backup::write_database(ArchiveWriter &archive)
{
    const auto entry_of = [&](std::string_view name, int64_t size) {
        BackupEntry entry;
        entry.path = name;
        entry.size = size;
        entry.length = size;
        entry.mtime_ns = manifest_.created_at * 1'000'000;
        return entry;
    };
    BackupEntry pieces =
        entry_of(pieces_name, static_cast<int64_t>(pieces_.hashes.size()));
    pieces.hash = sha256(pieces_.hashes);
    store(archive, pieces);
    archive.write(pieces_.hashes);
    manifest_.entries.push_back(pieces);

    BackupEntry database = entry_of(database_name, pieces_.size);
    database.hash = pieces_.hash;
    if (!base_) {
        store(archive, database);
        write_data(archive, database, snapshot_->fd());
        manifest_.entries.push_back(database);
        return;
    }
    const BackupEntry *before = base_->find(database_name);
    if (before == nullptr) {
        throw Error(ExitStatus::BadData, "the base has no database");
    }
    database.from = before->from + 1;
    manifest_.entries.push_back(database);
    const std::vector<int64_t> changed = changed_pieces(pieces_, base_->pieces());
    BackupEntry changes = entry_of(changes_name, changes_size(pieces_, changed));
    store(archive, changes);
    Sha256Stream hash;
    write_changes(
        snapshot_->fd(), pieces_, changed,
        [&](std::string_view data) {
            hash.add(data);
            archive.write(data);
        },
        paths_.database);
    changes.hash = hash.finish();
    manifest_.entries.push_back(changes);
    advance(static_cast<size_t>(pieces_.size));
}

// Writes as many bytes as the entry says, whatever becomes of the file meanwhile: more
// are not read, and what is missing is filled up and not counted as the file's.
void Backup::write_data(ArchiveWriter &archive, BackupEntry &entry, int fd)
{
    Sha256Stream hash;
    int64_t position = 0;
    bool ended = false;
    while (position < entry.size) {
        const auto want = static_cast<size_t>(
            std::min<int64_t>(static_cast<int64_t>(block), entry.size - position));
        size_t count = want;
        if (!ended) {
            const ssize_t got =
                read_some(fd, buffer_.data(), want, "'" + entry.path + "'");
            ended = got <= 0;
            count = ended ? want : static_cast<size_t>(got);
        }
        if (ended) {
            entry.length = std::min(entry.length, position);
            std::fill_n(buffer_.begin(), count, '\0');
        }
        const std::string_view data = std::string_view(buffer_).substr(0, count);
        hash.add(data);
        archive.write(data);
        position += static_cast<int64_t>(count);
        advance(count);
    }
    entry.hash = hash.finish();
}

bool Backup::write_file(ArchiveWriter &archive, BackupEntry &entry)
{
    const std::string path = place_of(paths_, entry.path);
    const Fd file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status = {};
    if (!file && (errno == ENOENT || errno == ELOOP || errno == ENOTDIR)) {
        return false;
    }
    if (!file || fstat(file.get(), &status) != 0) {
        throw_errno("cannot read '" + path + "'");
    }
    if (!S_ISREG(status.st_mode)) {
        return false;
    }
    entry.size = status.st_size;
    entry.length = status.st_size;
    entry.mtime_ns =
        int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
    store(archive, entry);
    write_data(archive, entry, file.get());
    return true;
}

void Backup::write_files(ArchiveWriter &archive)
{
    for (BackupEntry &entry : scan_.entries) {
        const BackupEntry *before = base_ ? base_->unchanged(entry) : nullptr;
        if (before != nullptr) {
            entry.size = before->size;
            entry.hash = before->hash;
            entry.from = before->from + 1;
            advance(static_cast<size_t>(entry.size));
        } else if (entry.directory) {
            store(archive, entry);
        } else if (!write_file(archive, entry)) {
            manifest_.left_out.push_back({entry.path, "vanished meanwhile"});
            continue;
        }
        manifest_.entries.push_back(std::move(entry));
    }
}

void Backup::write_body(BackupOutput &output)
{
    const auto write = [&](std::string_view data) { output.write(data); };
    if (options_.compression != Compression::Zstd) {
        ArchiveWriter archive(write, options_.compression, options_.level);
        write_database(archive);
        write_files(archive);
        archive.finish();
        return;
    }
    // libarchive's own zstd takes 20 MiB for each thread.
    ZstdWriter zstd(write, options_.level, zstd_threads);
    ArchiveWriter archive([&](std::string_view data) { zstd.write(data); },
                          Compression::None, 0);
    write_database(archive);
    write_files(archive);
    archive.finish();
    zstd.finish();
}

// The manifest as the beginning of the archive, and bytes that mean nothing up to `size`.
std::string Backup::head(size_t size) const
{
    const std::string text = manifest_text(manifest_);
    ArchiveEntry entry;
    entry.path = manifest_name;
    entry.size = static_cast<int64_t>(text.size());
    entry.mtime = manifest_.created_at / 1000;
    std::string bytes = tar_bytes(entry, text);
    if (options_.signing_key) {
        const std::string signature =
            sign(to_hex(sha256(text)), *options_.signing_key) + "\n";
        entry.path = signature_name;
        entry.size = static_cast<int64_t>(signature.size());
        bytes += tar_bytes(entry, signature);
    }
    std::string packed = compress(bytes, options_.compression, options_.level);
    if (packed.size() + filler_least(options_.compression) > size) {
        throw Error(ExitStatus::Bug, "the manifest is larger than it can be");
    }
    packed += filler(size - packed.size(), options_.compression);
    return packed;
}

BackupResult Backup::run(OutputFile &output)
{
    prepare();
    const size_t size = head_size();
    BackupOutput container(
        output.fd(), size, options_.passphrase,
        {manifest_.id, base_ ? base_->id() : "", manifest_.created_at});
    snapshot_->begin_check();
    write_body(container);
    snapshot_->require_sound();
    container.finish(head(size));
    output.sync();
    const BackupReader written(open_file(output.path(), O_RDONLY), options_.output,
                               options_.passphrase);
    written.read({}, progress_
                         ? Progress([&](int64_t, int64_t) { progress_(total_, total_); })
                         : Progress());
    return {manifest_, written.file_size(), files_stored_};
}

bool is_same_file(const std::string &one, const std::string &other)
{
    struct stat first = {};
    struct stat second = {};
    return stat(one.c_str(), &first) == 0 && stat(other.c_str(), &second) == 0 &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

} // namespace

BackupResult create_backup(const StatePaths &paths, const BackupOptions &options,
                           const Progress &progress)
{
    const FileLock state_lock(paths.directory, "'" + paths.directory + "'");
    finish_swap(paths);
    if (!path_exists(paths.database)) {
        throw Error(ExitStatus::NoInput,
                    "no database at '" + paths.database + "': run 'ap-db init'");
    }
    std::optional<FileLock> output_lock;
    const std::string directory = parent_path(options.output);
    if (options.output != "-" && !is_same_file(directory, paths.directory)) {
        output_lock.emplace(directory, "'" + directory + "'");
    }
    OutputFile output(options.output);
    BackupResult result = Backup(paths, options, progress).run(output);
    output.publish();
    return result;
}

std::optional<Compression> compression_of_name(std::string_view name)
{
    if (name.ends_with(".enc")) {
        name.remove_suffix(4);
    }
    if (name.ends_with(".tar.gz") || name.ends_with(".tgz")) {
        return Compression::Gzip;
    }
    if (name.ends_with(".tar.zst") || name.ends_with(".tzst")) {
        return Compression::Zstd;
    }
    return std::nullopt;
}

std::string dated_backup_name(UnixMs now, Compression compression, bool encrypted)
{
    const time_t seconds = now / 1000;
    struct tm local = {};
    localtime_r(&seconds, &local);
    char text[32] = {};
    static_cast<void>(std::strftime(text, sizeof text, "%Y%m%d-%H%M%S", &local));
    return std::string("autopack-backup-") + text +
           (compression == Compression::Gzip ? ".tar.gz" : ".tar.zst") +
           (encrypted ? ".enc" : "");
}

} // namespace ap
