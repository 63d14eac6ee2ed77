#pragma once

#include <functional>
#include <memory>
#include <string_view>

namespace ap {

/// Undoes the compression of one HTTP body as it arrives (zlib).
class Inflate
{
public:
    enum class Format {
        Gzip,    ///< one or more members
        Deflate, ///< with zlib's header or, as some servers have it, without
    };

    /// Throws Error(TryAgain) if there is no memory for it.
    explicit Inflate(Format format);
    ~Inflate();
    Inflate(const Inflate &) = delete;
    Inflate &operator=(const Inflate &) = delete;
    Inflate(Inflate &&other) noexcept;
    Inflate &operator=(Inflate &&other) noexcept;

    /// Passes what the next bytes stand for to `sink`, in pieces of at most 16 KiB, and
    /// keeps nothing. False once the bytes are no such format, and ever after.
    bool feed(std::string_view bytes, const std::function<void(std::string_view)> &sink);

    /// Whether the bytes so far came to the end of a compressed stream, its sum included.
    bool ended() const noexcept;

private:
    class Stream;
    std::unique_ptr<Stream> stream_;
};

} // namespace ap
