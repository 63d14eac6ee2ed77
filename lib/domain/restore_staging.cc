#include "domain/restore_staging.hh"

#include "base/error.hh"
#include "sys/path.hh"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>

namespace ap {

namespace {

timespec time_of(const BackupEntry &entry)
{
    constexpr int64_t second = 1'000'000'000;
    int64_t rest = entry.mtime_ns % second;
    rest += rest < 0 ? second : 0;
    return {(entry.mtime_ns - rest) / second, rest};
}

} // namespace

StagedFiles::StagedFiles(const RestoreSource &source, PlaceEntry place)
    : source_(source)
    , place_(std::move(place))
{
    for (const BackupEntry &entry : source_.manifest().entries) {
        const bool own = entry.path == pieces_name || entry.path == changes_name;
        const std::string path = own ? std::string() : place_(entry);
        if (path.empty()) {
            continue;
        }
        wanted_.emplace(entry.path, &entry);
        if (entry.path == database_name) {
            database_ = path;
            database_depth_ = entry.from;
        }
        if (entry.directory) {
            make_directories(path, 0700);
            directories_.emplace_back(path, &entry);
        }
    }
}

void StagedFiles::write(const Progress &progress)
{
    int64_t total = 0;
    for (const BackupReader &reader : source_.readers()) {
        total += reader.file_size();
    }
    int64_t before = 0;
    for (int depth = static_cast<int>(source_.readers().size()) - 1; depth >= 0;
         depth--) {
        const BackupReader &reader = source_.readers()[static_cast<size_t>(depth)];
        reader.read([&](const BackupEntry &entry,
                        std::string_view piece) { take(depth, entry, piece); },
                    [&](int64_t done, int64_t) {
                        if (progress) {
                            progress(before + done, total);
                        }
                    });
        before += reader.file_size();
    }
    check_database();
    set_directories();
}

void StagedFiles::take(int depth, const BackupEntry &entry, std::string_view piece)
{
    if (entry.path == changes_name) {
        if (!database_.empty() && depth < database_depth_) {
            change_database(entry, piece);
        }
        return;
    }
    const auto found = wanted_.find(entry.path);
    if (found == wanted_.end() || found->second->from != depth ||
        found->second->directory) {
        return;
    }
    if (!file_) {
        open(place_(*found->second));
    }
    if (piece.empty()) {
        close(*found->second);
    } else {
        write_all(file_.get(), piece, "'" + entry.path + "'");
    }
}

void StagedFiles::open(const std::string &path)
{
    make_directories(parent_path(path), 0700);
    file_ = open_file(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
}

void StagedFiles::close(const BackupEntry &entry)
{
    const timespec times[2] = {time_of(entry), time_of(entry)};
    if ((entry.length < entry.size && ftruncate(file_.get(), entry.length) != 0) ||
        fchmod(file_.get(), entry.mode) != 0 || futimens(file_.get(), times) != 0) {
        throw_errno("cannot write '" + entry.path + "'");
    }
    file_.reset();
}

void StagedFiles::change_database(const BackupEntry &entry, std::string_view piece)
{
    if (!changes_) {
        file_ = open_file(database_, O_RDWR | O_NOFOLLOW);
        changes_ = std::make_unique<ChangesReader>(file_.get(), entry.path);
    }
    if (!piece.empty()) {
        changes_->add(piece);
        return;
    }
    changes_->finish();
    changes_.reset();
    file_.reset();
}

// The database of an incremental backup was put together from several.
void StagedFiles::check_database() const
{
    if (database_.empty() || database_depth_ == 0) {
        return;
    }
    const BackupEntry &expected = *wanted_.at(database_name);
    const Fd file = open_file(database_, O_RDONLY);
    const Pieces remembered = source_.readers().front().read_entry(pieces_name);
    const ReadAt read = [&](char *data, size_t size, int64_t offset) {
        return read_at(file.get(), data, size, offset, database_);
    };
    struct stat status = {};
    if (fstat(file.get(), &status) != 0) {
        throw_errno("cannot look at '" + database_ + "'");
    }
    if (status.st_size != expected.size ||
        read_pieces(read, expected.size, remembered) != remembered) {
        throw Error(ExitStatus::BadData,
                    source_.readers().front().name() +
                        ": its bases do not make up the database it was made of");
    }
}

// At last, and from below: what is written into a directory changes its time, and one
// that may not be written could not have been filled.
void StagedFiles::set_directories()
{
    std::sort(directories_.begin(), directories_.end(),
              [](const auto &one, const auto &other) { return one.first > other.first; });
    for (const auto &[path, entry] : directories_) {
        const timespec times[2] = {time_of(*entry), time_of(*entry)};
        if (chmod(path.c_str(), entry->mode) != 0 ||
            utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
            throw_errno("cannot set the mode of '" + path + "'");
        }
    }
}

} // namespace ap
