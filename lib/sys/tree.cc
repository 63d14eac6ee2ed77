#include "sys/tree.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "sys/directory.hh"
#include "sys/path.hh"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ap {

namespace {

int open_beneath(int root, const std::string &path, int flags, mode_t mode)
{
    open_how how = {};
    how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
    how.mode = mode;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
    const std::string &name = path.empty() ? "." : path;
    return static_cast<int>(syscall(SYS_openat2, root, name.c_str(), &how, sizeof how));
}

Tree::Kind kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return Tree::Kind::File;
    case S_IFDIR:
        return Tree::Kind::Directory;
    case S_IFLNK:
        return Tree::Kind::Link;
    default:
        return Tree::Kind::Other;
    }
}

// The directory above, "" for the root; parent_path() has "." there.
std::string directory_of(const std::string &path)
{
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

} // namespace

Tree::Tree(const std::string &root)
    : root_(root)
    , directory_(open_file(root, O_PATH | O_DIRECTORY))
{
}

void Tree::fail(const std::string &what, const std::string &path) const
{
    const int code = errno;
    const std::string shown = "'" + printable(path) + "'";
    switch (code) {
    case ELOOP:
        throw Error(ExitStatus::NoPermission, shown + " leads through a link");
    case EXDEV:
        throw Error(ExitStatus::NoPermission, shown + " leads out of '" + root_ + "'");
    case ENOTDIR:
        throw Error(ExitStatus::BadData, shown + " leads through a file");
    case ENOSYS:
        throw Error(ExitStatus::Unavailable, "the kernel has no openat2(2)");
    default:
        throw SystemError(what + " " + shown, code);
    }
}

Fd Tree::open(const std::string &path, int flags, mode_t mode) const
{
    Fd fd(open_beneath(directory_.get(), path, flags, mode));
    if (!fd) {
        fail((flags & O_CREAT) != 0 ? "cannot make" : "cannot open", path);
    }
    return fd;
}

Fd Tree::try_open(const std::string &path, int flags) const
{
    Fd fd(open_beneath(directory_.get(), path, flags, 0));
    if (!fd && errno != ENOENT) {
        fail("cannot open", path);
    }
    return fd;
}

Tree::Place Tree::place_of(const std::string &path) const
{
    return {open(directory_of(path), O_PATH | O_DIRECTORY),
            path.substr(path.rfind('/') + 1)};
}

Tree::Entry Tree::look(const std::string &path) const
{
    const Fd fd = try_open(path, O_PATH | O_NOFOLLOW);
    if (!fd) {
        return {};
    }
    struct stat status = {};
    if (fstat(fd.get(), &status) != 0) {
        fail("cannot look at", path);
    }
    return {kind_of(status.st_mode), status.st_mode & 07777, status.st_size};
}

std::string Tree::read(const std::string &path, size_t limit) const
{
    // A FIFO put there meanwhile must not block.
    const Fd fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat status = {};
    if (fstat(fd.get(), &status) != 0) {
        fail("cannot look at", path);
    }
    if (!S_ISREG(status.st_mode)) {
        throw Error(ExitStatus::BadData, "'" + printable(path) + "' is no regular file");
    }
    return read_all(fd.get(), limit, "'" + printable(path) + "'");
}

void Tree::create(const std::string &path, std::string_view bytes, mode_t mode) const
{
    const Fd fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    write_all(fd.get(), bytes, "'" + printable(path) + "'");
    if (fchmod(fd.get(), mode) != 0) {
        fail("cannot set the mode of", path);
    }
    if (fsync(fd.get()) != 0) {
        fail("cannot sync", path);
    }
}

void Tree::make_directory(const std::string &path, mode_t mode) const
{
    const Place place = place_of(path);
    if (mkdirat(place.directory.get(), place.name.c_str(), mode) != 0) {
        fail("cannot make directory", path);
    }
}

std::vector<std::string> Tree::missing_directories(const std::string &path) const
{
    std::vector<std::string> missing;
    for (std::string above = directory_of(path); !above.empty();
         above = directory_of(above)) {
        if (look(above).kind != Kind::Nothing) {
            break;
        }
        missing.insert(missing.begin(), above);
    }
    return missing;
}

void Tree::move(const std::string &from, const std::string &to) const
{
    const Place source = place_of(from);
    const Place target = place_of(to);
    if (renameat(source.directory.get(), source.name.c_str(), target.directory.get(),
                 target.name.c_str()) != 0) {
        fail("cannot put in place", to);
    }
}

void Tree::remove(const std::string &path) const
{
    const Fd above = try_open(directory_of(path), O_PATH | O_DIRECTORY);
    const std::string name = path.substr(path.rfind('/') + 1);
    if (above && unlinkat(above.get(), name.c_str(), 0) != 0 && errno != ENOENT) {
        fail("cannot remove", path);
    }
}

bool Tree::remove_directory(const std::string &path) const
{
    const Fd above = try_open(directory_of(path), O_PATH | O_DIRECTORY);
    const std::string name = path.substr(path.rfind('/') + 1);
    if (!above) {
        return false;
    }
    if (unlinkat(above.get(), name.c_str(), AT_REMOVEDIR) == 0) {
        return true;
    }
    if (errno != ENOENT && errno != ENOTEMPTY && errno != EEXIST && errno != EBUSY) {
        fail("cannot remove directory", path);
    }
    return false;
}

std::vector<std::string> Tree::names_in(const std::string &path) const
{
    const Fd fd = try_open(path, O_RDONLY | O_DIRECTORY);
    // The descriptor's own directory, which no exchange of names can change.
    return fd ? ap::names_in("/proc/self/fd/" + std::to_string(fd.get()))
              : std::vector<std::string>();
}

void Tree::sync_directory(const std::string &path) const
{
    const Fd fd = try_open(path, O_RDONLY | O_DIRECTORY);
    if (fd && fsync(fd.get()) != 0) {
        fail("cannot sync directory", path);
    }
}

} // namespace ap
