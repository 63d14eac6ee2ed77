#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// One half of a "GIT binary patch": the new bytes, or how they are made of the old.
struct BinaryHunk
{
    bool is_delta = false;
    int64_t size = 0;     ///< of `deflated`, once inflated
    std::string deflated; ///< by zlib
};

/// A change of a file's bytes, whatever they are, between two blobs that git names.
struct BinaryChange
{
    std::string old_id; ///< of the line "index", as it stands there
    std::string new_id;
    BinaryHunk forward;
    std::optional<BinaryHunk> backward;
};

/// Reads what follows a line "GIT binary patch", from lines[at] on, and leaves `at`
/// behind it; the ids are left to the caller. Nothing is inflated. Throws Error(BadData)
/// "line N:
/// ..." for what is cut off or malformed.
BinaryChange read_binary_change(const std::vector<std::string_view> &lines, size_t &at);

/// Lets it lead from new to old. Error(BadData) if it has only one direction.
void reverse_binary_change(BinaryChange &change);

/// What `change` makes of `before`, which must be the very bytes that it was made for, as
/// what it makes must be those it says. Throws Error(Failed) saying what is not so, and
/// for more than `limit` bytes. `before` of a file that is not there is empty.
std::string apply_binary_change(std::string_view before, const BinaryChange &change,
                                int64_t limit);

} // namespace ap
