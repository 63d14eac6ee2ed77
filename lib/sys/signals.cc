#include "sys/signals.hh"

#include "base/error.hh"

#include <cerrno>
#include <sys/signalfd.h>
#include <unistd.h>

namespace ap {

SignalFd::SignalFd(std::initializer_list<int> signals)
{
    sigset_t set{};
    sigemptyset(&set);
    for (const int signal : signals) {
        sigaddset(&set, signal);
    }
    fd_ = Fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd_ || sigprocmask(SIG_BLOCK, &set, &before_) != 0) {
        throw_errno("cannot watch signals");
    }
}

SignalFd::~SignalFd()
{
    static_cast<void>(sigprocmask(SIG_SETMASK, &before_, nullptr));
}

std::optional<int> SignalFd::next()
{
    signalfd_siginfo info{};
    const ssize_t count = read(fd_.get(), &info, sizeof info);
    if (count < 0 && errno != EAGAIN && errno != EINTR) {
        throw_errno("cannot read a signal");
    }
    return count == sizeof info ? std::optional(static_cast<int>(info.ssi_signo))
                                : std::nullopt;
}

} // namespace ap
