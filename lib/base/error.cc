#include "base/error.hh"

#include <cerrno>
#include <system_error>

namespace ap {

namespace {

ExitStatus status_of_errno(int code)
{
    switch (code) {
    case ENOENT:
    case ENOTDIR:
        return ExitStatus::NoInput;
    case EACCES:
    case EPERM:
    case EROFS:
        return ExitStatus::NoPermission;
    case EAGAIN:
    case EINTR:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
        return ExitStatus::TryAgain;
    default:
        return ExitStatus::InputOutput;
    }
}

} // namespace

SystemError::SystemError(const std::string &what, int code)
    : Error(status_of_errno(code), what + ": " + std::generic_category().message(code))
    , code_(code)
{
}

void throw_errno(const std::string &what)
{
    throw SystemError(what, errno);
}

} // namespace ap
