#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ap {

/// Bytes on their way: appended at one end, taken from the other. What a byte costs does
/// not depend on how many wait, and a buffer that once grew large is given back.
class SendQueue
{
public:
    void append(std::string_view bytes) { bytes_ += bytes; }

    /// Replaces what is there.
    void assign(std::string bytes);

    size_t size() const noexcept { return bytes_.size() - taken_; }
    bool empty() const noexcept { return size() == 0; }

    /// What waits, valid until the next change.
    std::string_view view() const noexcept
    {
        return std::string_view(bytes_).substr(taken_);
    }

    /// Drops the first `count` bytes, of which there must be so many.
    void drop(size_t count);

    /// Copies at most `size` bytes out, and drops them; how many.
    size_t take(char *buffer, size_t size);

private:
    std::string bytes_;
    size_t taken_ = 0; // at the front
};

} // namespace ap
