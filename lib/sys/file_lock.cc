#include "sys/file_lock.hh"

#include "base/error.hh"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <thread>

namespace ap {

FileLock::FileLock(const std::string &path, const std::string &what,
                   std::chrono::milliseconds wait)
    : file_(open_file(path, O_RDONLY))
{
    using namespace std::chrono_literals;
    const auto deadline = std::chrono::steady_clock::now() + wait;
    while (flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            throw_errno("cannot lock '" + path + "'");
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            throw Error(ExitStatus::TryAgain, what + " is in use by another process");
        }
        std::this_thread::sleep_for(2ms);
    }
}

bool FileLock::is_held(const std::string &path)
{
    const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return file && flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

} // namespace ap
