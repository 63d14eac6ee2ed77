#include "sys/output_file.hh"

#include "base/error.hh"
#include "sys/path.hh"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ap {

namespace {

Fd open_nameless()
{
    const char *given = std::getenv("TMPDIR");
    const std::string directory = given == nullptr || *given == '\0' ? "/tmp" : given;
    Fd fd(open(directory.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
    if (!fd) {
        std::string name = join_path(directory, ".autopack-XXXXXX");
        fd.reset(mkostemp(name.data(), O_CLOEXEC));
        if (!fd) {
            throw_errno("cannot make a temporary file in '" + directory + "'");
        }
        remove_file(name);
    }
    return fd;
}

void copy_to_output(int fd)
{
    std::array<char, 65536> buffer{};
    off_t position = 0;
    while (true) {
        const ssize_t count = pread(fd, buffer.data(), buffer.size(), position);
        if (count < 0) {
            throw_errno("cannot read a temporary file");
        }
        if (count == 0) {
            return;
        }
        write_all(STDOUT_FILENO, {buffer.data(), static_cast<size_t>(count)},
                  "standard output");
        position += count;
    }
}

} // namespace

OutputFile::OutputFile(const std::string &path)
    : path_(path)
{
    if (path == "-") {
        fd_ = open_nameless();
        return;
    }
    const std::string name = path.substr(path.rfind('/') + 1);
    temporary_ = join_path(parent_path(path), "." + name + ".partial");
    remove_file(temporary_);
    fd_ = open_file(temporary_, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
}

OutputFile::~OutputFile()
{
    if (!temporary_.empty()) {
        static_cast<void>(unlink(temporary_.c_str()));
    }
}

std::string OutputFile::path() const
{
    return temporary_.empty() ? "/proc/self/fd/" + std::to_string(fd_.get()) : temporary_;
}

int64_t OutputFile::size() const
{
    struct stat status = {};
    if (fstat(fd_.get(), &status) != 0) {
        throw_errno("cannot look at '" + path() + "'");
    }
    return status.st_size;
}

void OutputFile::sync()
{
    if (fsync(fd_.get()) != 0) {
        throw_errno("cannot sync '" + path() + "'");
    }
}

void OutputFile::publish()
{
    if (path_ == "-") {
        copy_to_output(fd_.get());
        return;
    }
    if (rename(temporary_.c_str(), path_.c_str()) != 0) {
        throw_errno("cannot rename '" + temporary_ + "' to '" + path_ + "'");
    }
    temporary_.clear();
    sync_directory(parent_path(path_));
}

void sync_directory(const std::string &path)
{
    const Fd directory = open_file(path, O_RDONLY | O_DIRECTORY);
    if (fsync(directory.get()) != 0) {
        throw_errno("cannot sync directory '" + path + "'");
    }
}

} // namespace ap
