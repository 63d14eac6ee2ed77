#include "sys/directory.hh"

#include "base/error.hh"

#include <cerrno>
#include <string_view>

namespace ap {

std::vector<std::string> names_in(const std::string &path)
{
    std::vector<std::string> names;
    const Directory directory(opendir(path.c_str()));
    if (!directory) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return names;
        }
        throw_errno("cannot list '" + path + "'");
    }
    while (const dirent *entry = readdir(directory.get())) {
        const std::string_view name = static_cast<const char *>(entry->d_name);
        if (name != "." && name != "..") {
            names.emplace_back(name);
        }
    }
    return names;
}

} // namespace ap
