#include "domain/backup_verifier.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/backup_reader.hh"
#include "domain/database_pieces.hh"
#include "sys/process.hh"
#include "wrap/archive.hh"

#include <algorithm>
#include <functional>

namespace ap {

namespace {

constexpr int64_t block = 262144;

bool is_in_body(const BackupEntry &entry)
{
    return entry.from == 0 && entry.path != pieces_name;
}

} // namespace

BackupVerifier::BackupVerifier(int fd, const BackupOutput &output, std::string name)
    : fd_(fd)
    , name_(std::move(name))
    , position_(output.body_begin())
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
    return buffer_;
}

} // namespace ap
