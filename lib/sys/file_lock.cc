#include "sys/file_lock.hh"

#include "base/error.hh"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>

namespace ap {

FileLock::FileLock(const std::string &path, const std::string &what)
    : file_(open_file(path, O_RDONLY))
{
    if (flock(file_.get(), LOCK_EX | LOCK_NB) == 0) {
        return;
    }
    if (errno == EWOULDBLOCK) {
        throw Error(ExitStatus::TryAgain, what + " is in use by another process");
    }
    throw_errno("cannot lock '" + path + "'");
}

bool FileLock::is_held(const std::string &path)
{
    const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return file && flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

} // namespace ap
