#include "sys/watch.hh"

#include "base/error.hh"

#include <algorithm>
#include <array>
#include <cstring>
#include <sys/inotify.h>

namespace ap {

DirectoryWatch::DirectoryWatch(const std::string &directory)
    : fd_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK))
{
    if (!fd_ || inotify_add_watch(fd_.get(), directory.c_str(),
                                  IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR) < 0) {
        throw_errno("cannot watch directory '" + directory + "'");
    }
}

std::vector<std::string> DirectoryWatch::changed()
{
    std::vector<std::string> names;
    alignas(inotify_event) std::array<char, 16384> buffer;
    ssize_t count = 0;
    while ((count = read_some(fd_.get(), buffer.data(), buffer.size(),
                              "changes of a directory")) > 0) {
        for (size_t offset = 0; offset < static_cast<size_t>(count);) {
            inotify_event event{};
            std::memcpy(&event, buffer.data() + offset, sizeof event);
            const char *name = buffer.data() + offset + sizeof event;
            if ((event.mask & IN_Q_OVERFLOW) != 0) {
                return {"*"};
            }
            if (event.len > 0 &&
                std::find(names.begin(), names.end(), name) == names.end()) {
                names.emplace_back(name);
            }
            offset += sizeof event + event.len;
        }
    }
    return names;
}

} // namespace ap
