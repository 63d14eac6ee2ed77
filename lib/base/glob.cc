#include "base/glob.hh"

#include "base/text.hh"

#include <fnmatch.h>
#include <span>
#include <string>
#include <vector>

namespace ap {

namespace {

using Pieces = std::span<const std::string_view>;

bool has_wildcard(std::string_view piece)
{
    return piece.find_first_of("*?[\\") != std::string_view::npos;
}

// Whether the first pieces of `path` are those of `glob`, which has no "**".
bool starts_with(Pieces glob, Pieces path)
{
    if (path.size() < glob.size()) {
        return false;
    }
    for (size_t i = 0; i < glob.size(); i++) {
        if (fnmatch(std::string(glob[i]).c_str(), std::string(path[i]).c_str(), 0) != 0) {
            return false;
        }
    }
    return true;
}

// A run of pieces up to a "**" is taken at the first place where it fits: what comes
// after can only gain by that, so that no glob costs more than its length times the
// path's.
bool names(Pieces glob, Pieces path)
{
    bool anywhere = false;
    while (true) {
        size_t length = 0;
        while (length < glob.size() && glob[length] != "**") {
            length++;
        }
        const Pieces head = glob.first(length);
        const bool last = length == glob.size();
        const bool covers_below = last && length > 0 && !has_wildcard(head.back());
        const auto fits = [&](size_t at) {
            return starts_with(head, path.subspan(at)) &&
                   (!last || covers_below || at + length == path.size());
        };
        size_t at = 0;
        while (!fits(at)) {
            if (!anywhere || ++at > path.size()) {
                return false;
            }
        }
        if (last) {
            return true;
        }
        path = path.subspan(at + length);
        glob = glob.subspan(length + 1);
        anywhere = true;
        if (glob.empty()) {
            return true;
        }
    }
}

} // namespace

bool glob_names(std::string_view glob, std::string_view path)
{
    while (glob.ends_with('/')) {
        glob.remove_suffix(1);
    }
    if (glob.starts_with("./")) {
        glob.remove_prefix(2);
    }
    const std::vector<std::string_view> wanted = split(glob, '/');
    const std::vector<std::string_view> given = split(path, '/');
    return names(wanted, given);
}

} // namespace ap
