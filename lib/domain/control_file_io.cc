#include "domain/control_file_io.hh"

#include "base/error.hh"
#include "sys/path.hh"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace ap {

namespace {

using namespace std::chrono_literals;

constexpr auto longest_lock_wait = 5s;
constexpr auto longest_writer_wait = 50ms;

// True while some process has the file open for writing. The kernel grants a read lease
// only if none has; where leases are not supported there is no way to know.
bool has_writer(int fd)
{
    // Breaking a lease sends SIGIO, which would end this process; SIGURG is ignored.
    static_cast<void>(fcntl(fd, F_SETSIG, SIGURG));
    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
        static_cast<void>(fcntl(fd, F_SETLEASE, F_UNLCK));
        return false;
    }
    return errno == EAGAIN;
}

// `echo x >> FILE` opens first and writes then: one that opened just before the file was
// renamed still writes into it. One that keeps the file open is not waited for.
void wait_for_writers(int fd)
{
    const auto deadline = std::chrono::steady_clock::now() + longest_writer_wait;
    while (has_writer(fd) && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(1ms);
    }
}

ControlFileContent unfit(std::string reason)
{
    return {{}, std::move(reason)};
}

ControlFileContent read_open_file(int fd, const std::string &path)
{
    struct stat info = {};
    if (fstat(fd, &info) != 0) {
        throw_errno("cannot examine '" + path + "'");
    }
    if (!S_ISREG(info.st_mode)) {
        return unfit("is no regular file");
    }
    std::string text(largest_control_file + 1, '\0');
    size_t length = 0;
    while (length < text.size()) {
        const ssize_t got =
            read_some(fd, text.data() + length, text.size() - length, path);
        if (got <= 0) {
            break;
        }
        length += static_cast<size_t>(got);
    }
    if (length > largest_control_file) {
        return unfit("is larger than 64 KiB");
    }
    text.resize(length);
    return {std::move(text), {}};
}

} // namespace

ControlFileContent read_control_file(const std::string &path, bool after_writers)
{
    Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd) {
        switch (errno) {
        case ENOENT:
            return {};
        case ELOOP:
        case ENXIO:
            return unfit("is no regular file");
        case EACCES:
        case EPERM:
            return unfit("cannot be read");
        default:
            throw_errno("cannot open '" + path + "'");
        }
    }
    if (after_writers) {
        wait_for_writers(fd.get());
    }
    return read_open_file(fd.get(), path);
}

Fd lock_control_files(const std::string &runs)
{
    const std::string path = join_path(runs, ".control.lock");
    Fd lock = open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW);
    const auto deadline = std::chrono::steady_clock::now() + longest_lock_wait;
    while (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            throw_errno("cannot lock '" + path + "'");
        }
        if (std::chrono::steady_clock::now() > deadline) {
            throw Error(ExitStatus::TryAgain,
                        "cannot lock '" + path + "': another process holds it");
        }
        std::this_thread::sleep_for(1ms);
    }
    return lock;
}

void rename_if_there(const std::string &from, const std::string &to)
{
    if (rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT) {
        throw_errno("cannot rename '" + from + "' to '" + to + "'");
    }
}

Fd open_rejected(const std::string &base)
{
    for (int number = 1; number < 1000; ++number) {
        std::string path = base;
        if (number > 1) {
            path.append(".").append(std::to_string(number));
        }
        Fd fd(open(path.c_str(),
                   O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                   0666));
        struct stat info = {};
        if (fd && fstat(fd.get(), &info) == 0 && S_ISREG(info.st_mode)) {
            return fd;
        }
        if (!fd && errno != EISDIR && errno != ELOOP && errno != ENXIO) {
            throw_errno("cannot open '" + path + "'");
        }
    }
    throw Error(ExitStatus::CannotCreate, "cannot open '" + base + "'");
}

void move_to_rejected(const std::string &from, const std::string &base)
{
    for (int number = 1; number < 1000; ++number) {
        std::string path = base;
        if (number > 1) {
            path.append(".").append(std::to_string(number));
        }
        if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) ==
            0) {
            return;
        }
        if (errno != EEXIST) {
            throw_errno("cannot rename '" + from + "' to '" + path + "'");
        }
    }
    throw Error(ExitStatus::CannotCreate, "cannot make '" + base + "'");
}

void put_back(const std::string &path, const std::string &lines)
{
    const Fd fd = open_file(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK);
    struct stat info = {};
    char last = '\n';
    if (fstat(fd.get(), &info) == 0 && info.st_size > 0 &&
        pread(fd.get(), &last, 1, info.st_size - 1) != 1) {
        last = '\n'; // cannot be told; the line break that may be missing stays missing
    }
    write_all(fd.get(), last == '\n' ? lines : "\n" + lines, "'" + path + "'");
}

} // namespace ap
