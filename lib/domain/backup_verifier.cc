#include "domain/backup_verifier.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/backup_reader.hh"
#include "domain/database_pieces.hh"
#include "sys/process.hh"
#include "wrap/archive.hh"

#include <algorithm>
#include <fcntl.h>
#include <functional>

namespace ap {

namespace {

constexpr int64_t block = 262144;

// What was read back is of no use to anybody in memory, which others have uses for: so
// much of it at a time is dropped from there, once it is so far behind that the disk has
// it. It is also faster: a new page costs more than one just given back.
constexpr int64_t dropped_at_once = int64_t{8} << 20;
constexpr int64_t kept_behind = int64_t{16} << 20;

bool is_in_body(const BackupEntry &entry)
{
    return entry.from == 0 && entry.path != pieces_name;
}

} // namespace

BackupVerifier::BackupVerifier(int fd, const BackupOutput &output, std::string name)
    : fd_(fd)
    , name_(std::move(name))
    , kept_from_(output.body_begin())
    , position_(kept_from_)
    , end_(position_)
    , thread_([this, &output] {
        // It fills the gaps that the others leave, and must not hold them up.
        constexpr int behind = 5;
        yield_to_other_threads(behind);
        try {
            read_back(output);
        } catch (...) {
            error_ = std::current_exception();
        }
    })
{
}

BackupVerifier::~BackupVerifier()
{
    {
        const std::lock_guard lock(mutex_);
        given_up_ = true;
    }
    change_.notify_one();
}

void BackupVerifier::written(int64_t end)
{
    {
        const std::lock_guard lock(mutex_);
        end_ = end;
    }
    change_.notify_one();
}

void BackupVerifier::finish(BackupManifest &manifest)
{
    {
        const std::lock_guard lock(mutex_);
        whole_ = true;
    }
    change_.notify_one();
    thread_.join();
    if (error_) {
        std::rethrow_exception(error_);
    }
    size_t number = 0;
    for (BackupEntry &entry : manifest.entries) {
        if (!is_in_body(entry)) {
            continue;
        }
        const Found *found = number < found_.size() ? &found_[number] : nullptr;
        if (found == nullptr || found->path != std::hash<std::string>()(entry.path) ||
            found->directory != entry.directory || found->size != entry.size) {
            throw Error(ExitStatus::BadData, name_ + ": '" + printable(entry.path) +
                                                 "' is not what was written");
        }
        entry.hash = found->hash;
        number++;
    }
    if (number != found_.size()) {
        throw Error(ExitStatus::BadData, name_ + ": holds more than was written");
    }
}

void BackupVerifier::read_back(const BackupOutput &output)
{
    ArchiveReader archive(output.body_reader([this] { return next_bytes(); }, name_),
                          name_);
    while (const std::optional<ArchiveEntry> found = archive.next()) {
        std::string path = found->path;
        if (path.ends_with('/')) {
            path.pop_back();
        }
        const BackupEntry entry = measure_entry(archive, *found, path, name_);
        found_.push_back({std::hash<std::string>()(entry.path), entry.directory,
                          entry.size, entry.hash});
    }
}

// What the file has behind what was read; waits until that is a block, or all.
std::string_view BackupVerifier::next_bytes()
{
    int64_t end = 0;
    {
        std::unique_lock lock(mutex_);
        change_.wait(lock,
                     [this] { return given_up_ || whole_ || end_ - position_ >= block; });
        if (given_up_) {
            throw Error(ExitStatus::InputOutput, name_ + ": was given up");
        }
        end = std::min(end_, position_ + block);
    }
    buffer_.resize(static_cast<size_t>(end - position_));
    if (read_at(fd_, buffer_.data(), buffer_.size(), position_, name_) !=
        buffer_.size()) {
        throw Error(ExitStatus::InputOutput, name_ + ": became shorter");
    }
    position_ = end;
    drop_from_memory(end - kept_behind);
    return buffer_;
}

void BackupVerifier::drop_from_memory(int64_t end)
{
    const int64_t size = end - kept_from_;
    if (size < dropped_at_once) {
        return;
    }
    // Only hints: it is the sync at the end that counts, and says what is wrong. What is
    // not on the disk is not dropped.
    static_cast<void>(sync_file_range(fd_, kept_from_, size,
                                      SYNC_FILE_RANGE_WAIT_BEFORE |
                                          SYNC_FILE_RANGE_WRITE |
                                          SYNC_FILE_RANGE_WAIT_AFTER));
    static_cast<void>(posix_fadvise(fd_, kept_from_, size, POSIX_FADV_DONTNEED));
    kept_from_ = end;
}

} // namespace ap
