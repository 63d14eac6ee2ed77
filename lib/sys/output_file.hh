#pragma once

#include "sys/fd.hh"

#include <cstdint>
#include <string>

namespace ap {

/// A file that is written under a temporary name (".NAME.partial" in the same directory)
/// and gets its own when it is whole; without that it goes away. One process may write to
/// a name at a time. With "-" it is a nameless file that is copied to standard output at
/// last.
class OutputFile
{
public:
    /// Makes the file, readable by its owner only, in place of one that a process that
    /// was killed has left.
    explicit OutputFile(const std::string &path);
    ~OutputFile();
    OutputFile(const OutputFile &) = delete;
    OutputFile &operator=(const OutputFile &) = delete;

    int fd() const noexcept { return fd_.get(); }

    /// Where it can be opened meanwhile.
    std::string path() const;

    /// Bytes in it.
    int64_t size() const;

    void sync();

    /// Gives it its name, synced, or copies it to standard output.
    void publish();

private:
    std::string path_;
    std::string temporary_;
    Fd fd_;
};

/// Waits until the names in the directory at `path` are on the disk (fsync).
void sync_directory(const std::string &path);

} // namespace ap
