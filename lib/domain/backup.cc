#include "domain/backup.hh"

#include "base/error.hh"
#include "domain/backup_base.hh"
#include "domain/backup_head.hh"
#include "domain/backup_scan.hh"
#include "domain/backup_verifier.hh"
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
#include <fcntl.h>
#include <future>
#include <iterator>
#include <memory>
#include <sys/stat.h>

namespace ap {

namespace {

constexpr size_t block = 262144;
constexpr int zstd_threads = 2;

// One backup under way.
class Backup
{
public:
    Backup(const StatePaths &paths, const BackupOptions &options,
           const Progress &progress)
        : paths_(paths)
        , options_(options)
        , progress_(progress)
        , name_("'" + options.output + "'")
    {
    }

    BackupResult run(OutputFile &output);

private:
    void prepare();
    BackupEntry entry_of(std::string_view name, int64_t size) const;
    void write_body(BackupOutput &output, BackupVerifier &verifier);
    std::vector<BackupEntry> write_database(ArchiveWriter &archive);
    BackupEntry write_changed_pieces(ArchiveWriter &archive);
    void write_files(ArchiveWriter &archive);
    bool write_entry(ArchiveWriter &archive, BackupEntry &entry);
    bool write_file(ArchiveWriter &archive, BackupEntry &entry);
    void write_data(ArchiveWriter &archive, BackupEntry &entry, const ReadAt &read);
    void store(ArchiveWriter &archive, const BackupEntry &entry);
    void advance(size_t bytes);
    BackupHead head() const;
    void read_back(const OutputFile &output, const BackupHead &head) const;

    const StatePaths &paths_;
    const BackupOptions &options_;
    const Progress &progress_;
    std::string name_; // for messages
    std::unique_ptr<BackupBase> base_;
    std::unique_ptr<DatabaseSnapshot> snapshot_;
    Pieces pieces_;
    BackupManifest manifest_;
    std::string buffer_ = std::string(block, '\0');
    int64_t done_ = 0;
    int64_t total_ = 0;
    int64_t files_stored_ = 0;
};

void Backup::prepare()
{
    // While its manifest is read the files are looked for: an incremental backup spends
    // a quarter of its time with the two.
    std::future<std::unique_ptr<BackupBase>> base;
    if (options_.base) {
        base = std::async(std::launch::async, [this] {
            return std::make_unique<BackupBase>(*options_.base, options_.passphrase);
        });
    }
    manifest_.id = random_token().substr(0, 32);
    manifest_.created_at = options_.now.value_or(SystemClock().now());
    manifest_.program = AP_VERSION;
    // The files come after the database: what it says is in them, is.
    snapshot_ = std::make_unique<DatabaseSnapshot>(paths_);
    manifest_.schema_version = snapshot_->schema_version();
    manifest_.runs = snapshot_->count("runs");
    manifest_.phases = snapshot_->count("phases");
    manifest_.usage_events = snapshot_->count("llm_usage_events");
    manifest_.events = snapshot_->count("events");
    BackupScan scan = scan_files(paths_);
    manifest_.entries = std::move(scan.entries);
    manifest_.left_out = std::move(scan.left_out);
    total_ = snapshot_->size();
    for (const BackupEntry &entry : manifest_.entries) {
        total_ += entry.size;
    }
    if (base.valid()) {
        base_ = base.get();
        manifest_.chain = base_->chain();
    }
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

BackupEntry Backup::entry_of(std::string_view name, int64_t size) const
{
    BackupEntry entry;
    entry.path = name;
    entry.size = size;
    entry.length = size;
    entry.mtime_ns = manifest_.created_at * 1'000'000;
    return entry;
}

// Returns what the manifest is to say of it.
std::vector<BackupEntry> Backup::write_database(ArchiveWriter &archive)
{
    BackupEntry database = entry_of(database_name, snapshot_->size());
    std::optional<BackupEntry> changes;
    if (base_) {
        changes = write_changed_pieces(archive);
    } else {
        pieces_ = start_pieces({});
        pieces_.reserve(static_cast<size_t>(pieces_length(snapshot_->size())));
        store(archive, database);
        write_data(archive, database, [&](char *data, size_t size, int64_t offset) {
            const size_t count = snapshot_->reader()(data, size, offset);
            add_pieces(pieces_, {data, count});
            return count;
        });
    }
    snapshot_->finish();
    BackupEntry pieces = entry_of(pieces_name, static_cast<int64_t>(pieces_.size()));
    pieces.hash = sha256(pieces_);
    if (base_) {
        database.hash = pieces.hash; // what it is known by
        database.from = base_->find(database_name)->from + 1;
    }
    // The pieces are in the head, where the next backup has them at once.
    std::vector<BackupEntry> entries = {std::move(pieces), std::move(database)};
    if (changes) {
        entries.push_back(std::move(*changes));
    }
    return entries;
}

BackupEntry Backup::write_changed_pieces(ArchiveWriter &archive)
{
    if (base_->find(database_name) == nullptr) {
        throw Error(ExitStatus::BadData, "the base has no database");
    }
    const int64_t size = snapshot_->size();
    pieces_ = read_pieces(snapshot_->reader(), size, base_->pieces());
    const std::vector<int64_t> changed = changed_pieces(pieces_, base_->pieces());
    BackupEntry changes = entry_of(changes_name, changes_size(size, changed));
    store(archive, changes);
    write_changes(snapshot_->reader(), size, changed,
                  [&](std::string_view data) { archive.write(data); });
    advance(static_cast<size_t>(size));
    return changes;
}

// Writes as many bytes as the entry says, whatever becomes of the file meanwhile: more
// are not read, and what is missing is filled up and not counted as the file's.
void Backup::write_data(ArchiveWriter &archive, BackupEntry &entry, const ReadAt &read)
{
    int64_t position = 0;
    bool ended = false;
    while (position < entry.size) {
        const auto want = static_cast<size_t>(
            std::min<int64_t>(static_cast<int64_t>(block), entry.size - position));
        const size_t count = ended ? 0 : read(buffer_.data(), want, position);
        if (!ended && count < want) {
            ended = true;
            entry.length = std::min(entry.length, position + static_cast<int64_t>(count));
        }
        std::fill(buffer_.begin() + static_cast<ptrdiff_t>(count),
                  buffer_.begin() + static_cast<ptrdiff_t>(want), '\0');
        archive.write(std::string_view(buffer_).substr(0, want));
        position += static_cast<int64_t>(want);
        advance(want);
    }
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
    set_status(entry, status);
    store(archive, entry);
    write_data(archive, entry, [&](char *data, size_t size, int64_t offset) {
        return read_at(file.get(), data, size, offset, path);
    });
    return true;
}

// Whether there is still such a file.
bool Backup::write_entry(ArchiveWriter &archive, BackupEntry &entry)
{
    const BackupEntry *before =
        base_ && !options_.read_all ? base_->unchanged(entry) : nullptr;
    if (before != nullptr) {
        entry.size = before->size;
        entry.hash = before->hash;
        entry.from = before->from + 1;
        advance(static_cast<size_t>(entry.size));
        return true;
    }
    if (entry.directory) {
        store(archive, entry);
        return true;
    }
    return write_file(archive, entry);
}

// What vanished meanwhile leaves the manifest's entries: in their place, as there may be
// many.
void Backup::write_files(ArchiveWriter &archive)
{
    size_t kept = 0;
    for (BackupEntry &entry : manifest_.entries) {
        if (!write_entry(archive, entry)) {
            manifest_.left_out.push_back({entry.path, "vanished meanwhile"});
            continue;
        }
        BackupEntry &place = manifest_.entries[kept++];
        if (&place != &entry) {
            place = std::move(entry);
        }
    }
    manifest_.entries.resize(kept);
}

void Backup::write_body(BackupOutput &output, BackupVerifier &verifier)
{
    const auto write = [&](std::string_view data) {
        output.write(data);
        verifier.written(output.body_end());
    };
    const bool zstd = options_.compression == Compression::Zstd;
    // libarchive's own zstd takes 20 MiB for each thread.
    std::optional<ZstdWriter> threads;
    if (zstd) {
        threads.emplace(write, options_.level, zstd_threads);
    }
    const ByteSink compressor = [&](std::string_view data) { threads->write(data); };
    ArchiveWriter archive(zstd ? compressor : write,
                          zstd ? Compression::None : options_.compression,
                          options_.level);
    std::vector<BackupEntry> database = write_database(archive);
    write_files(archive);
    manifest_.entries.insert(manifest_.entries.begin(),
                             std::make_move_iterator(database.begin()),
                             std::make_move_iterator(database.end()));
    archive.finish();
    if (zstd) {
        threads->finish();
    }
    output.finish_body();
    verifier.written(output.body_end());
}

BackupHead Backup::head() const
{
    BackupHead head = {manifest_text(manifest_), "", manifest_.created_at, pieces_};
    if (options_.signing_key) {
        head.signature =
            sign(to_hex(sha256(head.manifest)), *options_.signing_key) + "\n";
    }
    return head;
}

// The head as whoever restores it will see it; the body was read back before.
void Backup::read_back(const OutputFile &output, const BackupHead &head) const
{
    const Fd file = open_file(output.path(), O_RDONLY);
    BackupInput input(file.get(), name_, options_.passphrase);
    ArchiveReader archive([&] { return input.read(); }, name_);
    require_head(archive, head, name_);
}

BackupResult Backup::run(OutputFile &output)
{
    prepare();
    const size_t size = head_bound(manifest_, snapshot_->size());
    BackupOutput container(
        output.fd(), size, options_.passphrase,
        {manifest_.id, base_ ? base_->id() : "", manifest_.created_at});
    BackupVerifier verifier(output.fd(), container, name_);
    if (!base_ || options_.check) {
        snapshot_->begin_check();
    }
    write_body(container, verifier);
    verifier.finish(manifest_);
    const BackupHead finished = head();
    container.finish(head_bytes(finished, size, options_.compression, options_.level));
    output.sync();
    read_back(output, finished);
    return {manifest_, output.size(), files_stored_};
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

} // namespace ap
