#pragma once

#include "sys/fd.hh"

#include <cstddef>
#include <string>

namespace ap {

/// A file mapped for reading and writing, shared: what is stored survives the death of
/// the process at any moment (not that of the machine). Locked against other processes
/// for as long as this object lives.
class MappedFile
{
public:
    MappedFile() noexcept = default;

    /// Opens or makes the file (mode 0600), locks it, and makes it `size` zeros, of which
    /// only those that are looked at take memory. Throws Error(TryAgain) "'PATH' is in
    /// use" if another process has it locked, SystemError if it cannot be opened, grown
    /// or mapped. With `size` 0 the file must exist and is mapped as it is (an empty one:
    /// data() is null).
    MappedFile(const std::string &path, size_t size);
    MappedFile(MappedFile &&other) noexcept;
    MappedFile &operator=(MappedFile &&other) noexcept;
    MappedFile(const MappedFile &) = delete;
    MappedFile &operator=(const MappedFile &) = delete;
    ~MappedFile();

    std::byte *data() const noexcept { return data_; }
    size_t size() const noexcept { return size_; }

private:
    Fd file_;
    std::byte *data_ = nullptr;
    size_t size_ = 0;
};

} // namespace ap
