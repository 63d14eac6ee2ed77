#pragma once

#include <string>
#include <vector>

namespace ap {

/// What a file defines, as Universal Ctags tells it.
struct FileOutline
{
    std::string path;
    std::vector<std::string> lines; ///< "12 function name(signature)", in their order
};

/// The outlines of `paths`, which are relative to `directory`, sorted by path; of files
/// that define nothing there is none. The repository's own ctags configuration does not
/// count. Throws Error(Unavailable) if there is no Universal Ctags with JSON output.
std::vector<FileOutline> outline_files(const std::string &directory,
                                       const std::vector<std::string> &paths);

} // namespace ap
