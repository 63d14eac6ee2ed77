#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <zlib.h>

namespace check {

/// `text` compressed in one go. `window`: 15 for zlib's header, 31 for gzip, -15 for
/// none.
inline std::string compressed(std::string_view text, int window)
{
    z_stream stream = {};
    if (deflateInit2(&stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        throw std::runtime_error("deflateInit2");
    }
    std::string result(deflateBound(&stream, text.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef *>(result.data());
    stream.avail_out = static_cast<uInt>(result.size());
    const int code = deflate(&stream, Z_FINISH);
    result.resize(stream.total_out);
    deflateEnd(&stream);
    if (code != Z_STREAM_END) {
        throw std::runtime_error("deflate");
    }
    return result;
}

} // namespace check
