#pragma once

#include "domain/backup_container.hh"
#include "domain/backup_manifest.hh"

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace ap {

/// Reads the body of a backup back from its file while it is still being written, in a
/// thread: decrypts and decompresses it, compares the checksum that the compressor made
/// of what it was given (zstd: 64 bits, gzip: 32), and hashes each entry. So the hashes
/// of a backup's manifest are those of what is in its file.
class BackupVerifier
{
public:
    /// `fd` is the file that `output` writes; `name` is for messages. Both outlive this.
    BackupVerifier(int fd, const BackupOutput &output, std::string name);

    /// Gives up if finish() was not called.
    ~BackupVerifier();
    BackupVerifier(const BackupVerifier &) = delete;
    BackupVerifier &operator=(const BackupVerifier &) = delete;

    /// Tells that the body goes up to `end` in the file by now.
    void written(int64_t end);

    /// Tells that this is all of it, waits, and sets the hashes of those entries of
    /// `manifest` that are in the body: those of this archive, but for the pieces, which
    /// are in the head. Throws Error(BadData) unless the body has exactly these, in that
    /// order, with those sizes.
    void finish(BackupManifest &manifest);

private:
    struct Found
    {
        size_t path; // its hash, to keep it short
        bool directory;
        int64_t size;
        Sha256 hash;
    };

    void read_back(const BackupOutput &output);
    std::string_view next_bytes();
    void drop_from_memory(int64_t end);

    int fd_;
    std::string name_;
    std::string buffer_;
    std::vector<Found> found_; // in the file
    std::exception_ptr error_;
    int64_t kept_from_; // in memory; before it all was dropped
    std::mutex mutex_;  // of the four below
    std::condition_variable change_;
    int64_t position_;
    int64_t end_;
    bool whole_ = false;
    bool given_up_ = false;
    std::jthread thread_;
};

} // namespace ap
