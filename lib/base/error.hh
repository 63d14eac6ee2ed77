#pragma once

#include "base/exit_status.hh"

#include <stdexcept>
#include <string>

namespace ap {

/// The one exception of the suite: a message for the user and the status the tool exits
/// with. The message names what was being done and to what, in one line, without the
/// program's name (the tool adds that).
class Error : public std::runtime_error
{
public:
    Error(ExitStatus status, const std::string &message)
        : std::runtime_error(message)
        , status_(status)
    {
    }

    ExitStatus status() const noexcept { return status_; }

private:
    ExitStatus status_;
};

/// Wrong words on the command line; the tool adds a hint to try --help. Exits 2.
class UsageError : public Error
{
public:
    explicit UsageError(const std::string &message)
        : Error(ExitStatus::Usage, message)
    {
    }
};

/// A failed system call. `what` is "cannot open 'x'"; the text of `code` (an errno value)
/// is appended, and the exit status follows from it: ENOENT 66, EACCES/EPERM/EROFS 77,
/// EAGAIN/EINTR/ENOMEM 75, everything else 74.
class SystemError : public Error
{
public:
    SystemError(const std::string &what, int code);

    int code() const noexcept { return code_; }

private:
    int code_;
};

/// Throws SystemError(what, errno). Call directly after the failed system call.
[[noreturn]] void throw_errno(const std::string &what);

} // namespace ap
