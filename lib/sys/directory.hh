#pragma once

#include <dirent.h>
#include <memory>
#include <string>
#include <vector>

namespace ap {

struct CloseDirectory
{
    void operator()(DIR *directory) const noexcept
    {
        static_cast<void>(closedir(directory));
    }
};

/// An open directory, for readdir(3).
using Directory = std::unique_ptr<DIR, CloseDirectory>;

/// The names in the directory at `path`, in no order, without "." and ".."; none if it is
/// not there. Throws SystemError if it cannot be listed.
std::vector<std::string> names_in(const std::string &path);

} // namespace ap
