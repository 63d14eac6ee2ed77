#pragma once

#include "sys/fd.hh"

#include <chrono>
#include <string>

namespace ap {

/// Holds an exclusive flock(2) on a file or directory that is there already, for as long
/// as it lives. The kernel frees the lock of a process that dies, so that no lock is ever
/// stale; children that are executed do not inherit it.
class FileLock
{
public:
    /// Takes the lock; throws Error(TryAgain) "`what` is in use by another process" if it
    /// is still held after `wait`.
    FileLock(const std::string &path, const std::string &what,
             std::chrono::milliseconds wait = std::chrono::milliseconds(0));

    /// Whether somebody holds the lock of `path` now. Does not wait; a path that is not
    /// there is not held.
    static bool is_held(const std::string &path);

private:
    Fd file_;
};

} // namespace ap
