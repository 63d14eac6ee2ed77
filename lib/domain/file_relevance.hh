#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace ap {

/// The words of a goal, by which files are chosen: those of four bytes or more, in lower
/// case.
class GoalWords
{
public:
    explicit GoalWords(std::string_view goal);

    /// How much they have to do with a file: three points for each word in the path, one
    /// for each in the text, 99 at most.
    int64_t points(std::string_view path, std::string_view text) const;

private:
    std::set<std::string> words_;
};

/// Whether the path is that of a test, by the habits of most languages.
bool looks_like_test(std::string_view path);

/// The name of the file at `path` in lower case, without its endings and without what
/// marks a test, so that a file and its test have the same.
std::string test_stem(std::string_view path);

} // namespace ap
