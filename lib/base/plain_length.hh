#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace ap {

/// How many bytes at the front of a JSON string's content stand for themselves: up to the
/// first quote, backslash or control character. Eight are looked at as one number, for
/// nearly all that there is to read of a call is text: half the time of byte by byte.
inline size_t plain_length(std::string_view text) noexcept
{
    constexpr uint64_t ones = 0x0101010101010101;
    size_t length = 0;
    while (text.size() - length >= sizeof(uint64_t)) {
        uint64_t word = 0;
        std::memcpy(&word, text.data() + length, sizeof word);
        const uint64_t quote = word ^ (ones * '"');
        const uint64_t escape = word ^ (ones * '\\');
        // The high bit of a byte: whether that of the text is below 0x20, or another's is
        // 0. It may be wrong only behind one that is right.
        const uint64_t found = ((word - ones * 0x20) & ~word) |
                               ((quote - ones) & ~quote) | ((escape - ones) & ~escape);
        if ((found & (ones * 0x80)) != 0) {
            break;
        }
        length += sizeof word;
    }
    while (length < text.size() && text[length] != '"' && text[length] != '\\' &&
           static_cast<unsigned char>(text[length]) >= 0x20) {
        ++length;
    }
    return length;
}

} // namespace ap
