#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
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

/// A text compressed by itself, to be part of gzip streams.
struct GzipPiece
{
    std::string bytes; ///< deflate's, which refer to nothing before and end with a byte
    uint32_t sum = 0;  ///< CRC-32 of the text
    uint64_t size = 0; ///< of the text
};

/// Makes pieces of gzip streams. Its 256 KiB are taken with the first.
class GzipCompressor
{
public:
    GzipCompressor();
    ~GzipCompressor();
    GzipCompressor(const GzipCompressor &) = delete;
    GzipCompressor &operator=(const GzipCompressor &) = delete;

    /// `text`, of less than 2 GiB, as a piece. Who has received the piece has all of the
    /// text. Throws Error(TryAgain) if there is no memory for it.
    GzipPiece compress(std::string_view text);

private:
    class Stream;
    std::unique_ptr<Stream> stream_;
};

/// What a gzip stream needs around its pieces, whichever they are and in whatever order:
/// its bytes are beginning(), those of the pieces, and end().
class GzipStream
{
public:
    static std::string_view beginning() noexcept;

    /// Counts a piece that is sent.
    void add(const GzipPiece &piece) noexcept;

    /// What ends the stream: that there are no more pieces, and the sum of those added.
    std::string end() const;

private:
    uint32_t sum_ = 0;
    uint64_t size_ = 0;
};

} // namespace ap
