#pragma once

#include "sys/fd.hh"

#include <string>
#include <vector>

namespace ap {

/// Tells which files of a directory were written and closed, or moved in (inotify).
class DirectoryWatch
{
public:
    explicit DirectoryWatch(const std::string &directory);

    int fd() const noexcept { return fd_.get(); }

    /// The names changed since the last call, each once; never waits. After an overflow
    /// of the kernel's queue, `*` alone: look at everything.
    std::vector<std::string> changed();

private:
    Fd fd_;
};

} // namespace ap
