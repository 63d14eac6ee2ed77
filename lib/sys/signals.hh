#pragma once

#include "sys/fd.hh"

#include <csignal>
#include <initializer_list>
#include <optional>

namespace ap {

/// Blocks `signals` for this process and delivers them through a descriptor for poll. The
/// mask is restored at the end of its life.
class SignalFd
{
public:
    SignalFd(std::initializer_list<int> signals);
    ~SignalFd();
    SignalFd(const SignalFd &) = delete;
    SignalFd &operator=(const SignalFd &) = delete;

    int fd() const noexcept { return fd_.get(); }

    /// The next signal's number; nothing if none is pending. Never waits.
    std::optional<int> next();

private:
    sigset_t before_{};
    Fd fd_;
};

} // namespace ap
