#pragma once

#include "base/bytes.hh"
#include "base/clock.hh"
#include "sys/fd.hh"
#include "wrap/sodium.hh"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ap {

/// What can be read of an encrypted backup without its passphrase. Authenticated all the
/// same: a reader that has the passphrase notices a change.
struct BackupLabel
{
    std::string id;
    std::string base; ///< id of the backup it needs; empty if none
    UnixMs created_at = 0;
};

/// Writes the file of a backup: a head whose size is known first and whose bytes are
/// known last (the manifest holds the hashes of all that follows it), and the body. With
/// a passphrase both are encrypted, each as a stream of its own.
class BackupOutput
{
public:
    /// `fd` is an empty file that can be sought in.
    BackupOutput(int fd, uint64_t head_size, const std::optional<std::string> &passphrase,
                 const BackupLabel &label);

    /// Appends to the body.
    void write(std::string_view data);

    /// Ends the body.
    void finish_body();

    /// Writes the head, exactly as long as was said, behind finish_body().
    void finish(std::string_view head);

    /// Where in the file the body begins, and where it ends by now.
    int64_t body_begin() const noexcept { return begin_; }
    int64_t body_end() const noexcept { return end_; }

    /// What was written to the body, of the bytes that are in the file; for one other
    /// thread, as long as this lives. `raw` has all bytes of the body, in order.
    ByteSource body_reader(ByteSource raw, std::string name) const;

private:
    void write_file(std::string_view data);

    int fd_;
    uint64_t head_size_;
    int64_t begin_ = 0;
    int64_t end_ = 0;
    int64_t flushed_ = 0; // the disk was told to begin with what is before this
    std::optional<SealKey> key_;
    std::string label_; // the file's first line, if it is encrypted
    std::unique_ptr<SealWriter> body_;
};

/// Reads the file of a backup, or any archive, from its beginning.
class BackupInput
{
public:
    /// `fd` stays open as long as this lives. Throws Error(BadData), beginning with
    /// `name`, if the file is encrypted and there is no passphrase.
    BackupInput(int fd, std::string name, const std::optional<std::string> &passphrase);

    /// The next bytes of what was written, head first; empty at the end.
    std::string_view read();

    /// Bytes of the file that were read.
    int64_t position() const noexcept { return position_; }

private:
    std::string_view read_file(size_t most);
    std::string_view read_head();

    int fd_;
    std::string name_;
    std::string buffer_;
    int64_t position_ = 0;
    std::optional<SealKey> key_;
    std::string label_;
    uint64_t head_left_ = 0;
    std::unique_ptr<SealReader> head_;
    std::unique_ptr<SealReader> body_;
};

/// The first line of the file at `path`, for passphrases and keys; nothing without a
/// path. Throws Error(BadData) if it is empty.
std::optional<std::string> read_first_line(const std::optional<std::string> &path);

/// The label of the file, if it is encrypted.
std::optional<BackupLabel> read_label(int fd, const std::string &name);

} // namespace ap
