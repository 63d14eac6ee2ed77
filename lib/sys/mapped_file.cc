#include "sys/mapped_file.hh"

#include "base/error.hh"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace ap {

namespace {

// Blocks that a full disk would deny must be denied now: a store into a hole that cannot
// be filled ends the process.
void make_zeros(int fd, size_t size, const std::string &path)
{
    if (ftruncate(fd, 0) != 0) {
        throw_errno("cannot empty '" + path + "'");
    }
    const int code = posix_fallocate(fd, 0, static_cast<off_t>(size));
    if (code != 0) {
        throw SystemError("cannot make room for '" + path + "'", code);
    }
}

size_t size_of(int fd, const std::string &path)
{
    struct stat status = {};
    if (fstat(fd, &status) != 0) {
        throw_errno("cannot look at '" + path + "'");
    }
    return static_cast<size_t>(status.st_size);
}

} // namespace

MappedFile::MappedFile(const std::string &path, size_t size)
    : file_(open_file(path, size > 0 ? O_RDWR | O_CREAT : O_RDWR, 0600))
    , size_(size)
{
    if (flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) {
            throw Error(ExitStatus::TryAgain, "'" + path + "' is in use");
        }
        throw_errno("cannot lock '" + path + "'");
    }
    if (size > 0) {
        make_zeros(file_.get(), size, path);
    } else {
        size_ = size_of(file_.get(), path);
    }
    if (size_ == 0) {
        return;
    }
    void *const mapped =
        mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
    if (mapped == MAP_FAILED) {
        throw_errno("cannot map '" + path + "'");
    }
    data_ = static_cast<std::byte *>(mapped);
}

MappedFile::MappedFile(MappedFile &&other) noexcept
    : file_(std::move(other.file_))
    , data_(std::exchange(other.data_, nullptr))
    , size_(std::exchange(other.size_, 0))
{
}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept
{
    std::swap(file_, other.file_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

MappedFile::~MappedFile()
{
    if (data_ != nullptr) {
        munmap(data_, size_);
    }
}

} // namespace ap
