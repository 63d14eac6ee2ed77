#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// Bytes on their way: appended at one end, taken from the other. What a byte costs does
/// not depend on how many wait, and a buffer that once grew large is given back.
class SendQueue
{
public:
    void append(std::string_view bytes);

    /// Appends bytes that other queues hold as well, without a copy.
    void share(std::shared_ptr<const std::string> bytes);

    /// Replaces what is there.
    void assign(std::string bytes);

    size_t size() const noexcept { return bytes_.size() - taken_ + shared_size_; }
    bool empty() const noexcept { return size() == 0; }

    /// What waits, as far as it is not shared; valid until the next change.
    std::string_view view() const noexcept
    {
        return std::string_view(bytes_).substr(taken_);
    }

    /// Drops the first `count` bytes, of which view() must have so many.
    void drop(size_t count);

    /// Copies at most `size` bytes out, and drops them; how many.
    size_t take(char *buffer, size_t size);

private:
    size_t take_shared(char *buffer, size_t size);

    std::string bytes_;
    size_t taken_ = 0; // at the front
    // Behind the bytes; what is appended to these is shared, too.
    std::vector<std::shared_ptr<const std::string>> shared_;
    size_t first_ = 0;        // of them that is left
    size_t shared_taken_ = 0; // of the first
    size_t shared_size_ = 0;  // of what is left of all of them
};

} // namespace ap
