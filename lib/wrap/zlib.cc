#include "wrap/zlib.hh"

#include "base/error.hh"

#include <array>
#include <zlib.h>

namespace ap {

namespace {

constexpr int raw_deflate = -MAX_WBITS;
constexpr int gzip = MAX_WBITS + 16;
constexpr size_t piece_size = size_t{16} * 1024;

// Events came out at 6 % of their size with it as with the next levels, which take three
// times as long and more.
constexpr int fast = 3;
constexpr int usual_memory = 8;

// RFC 1952: magic, deflate, no name and no time, from Unix.
constexpr std::string_view gzip_beginning("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);

// RFC 1951: a last block, with nothing in it.
constexpr std::string_view last_block("\x03\0", 2);

constexpr size_t of_flush = 16; // more than the mark of a flush needs

void append_little_endian(std::string &bytes, uint32_t number)
{
    for (int shift = 0; shift < 32; shift += 8) {
        bytes += static_cast<char>(number >> shift & 0xff);
    }
}

// RFC 1950: the first byte names method 8 and a window; a deflate stream without the
// header has another low nibble in all that zlib, the usual maker, writes.
bool is_zlib_header(char byte)
{
    return (static_cast<unsigned char>(byte) & 0x0f) == 8 &&
           (static_cast<unsigned char>(byte) >> 4) <= 7;
}

} // namespace

class Inflate::Stream
{
public:
    explicit Stream(Format format)
        : format_(format)
    {
    }
    ~Stream()
    {
        if (open_) {
            inflateEnd(&stream_);
        }
    }
    Stream(const Stream &) = delete;
    Stream &operator=(const Stream &) = delete;

    void open(int window)
    {
        if (inflateInit2(&stream_, window) != Z_OK) {
            throw Error(ExitStatus::TryAgain, "no memory to decompress an answer");
        }
        open_ = true;
    }

    bool feed(std::string_view bytes, const std::function<void(std::string_view)> &sink)
    {
        if (bytes.empty() || failed_) {
            return !failed_;
        }
        if (!open_) {
            open(format_ == Format::Gzip         ? gzip
                 : is_zlib_header(bytes.front()) ? MAX_WBITS
                                                 : raw_deflate);
        }
        // zlib's interface takes a pointer to what it does not change.
        stream_.next_in =
            const_cast<Bytef *>(reinterpret_cast<const Bytef *>(bytes.data()));
        stream_.avail_in = static_cast<uInt>(bytes.size());
        while (!failed_ && inflate_some(sink)) {
        }
        return !failed_;
    }

    bool ended() const noexcept { return ended_; }

private:
    Format format_;
    bool open_ = false;
    bool failed_ = false;
    bool ended_ = false;
    z_stream stream_ = {};
    std::array<char, piece_size> buffer_;

    // One buffer's worth; false when there is no more for now.
    bool inflate_some(const std::function<void(std::string_view)> &sink)
    {
        if (ended_) {
            if (stream_.avail_in == 0 || format_ != Format::Gzip) {
                return false; // what follows the end is nothing to us
            }
            ended_ = false;
            inflateReset(&stream_);
        }
        stream_.next_out = reinterpret_cast<Bytef *>(buffer_.data());
        stream_.avail_out = static_cast<uInt>(buffer_.size());
        const int code = inflate(&stream_, Z_NO_FLUSH);
        const size_t count = buffer_.size() - stream_.avail_out;
        if (count > 0) {
            sink({buffer_.data(), count});
        }
        if (code == Z_STREAM_END) {
            ended_ = true;
            return true;
        }
        failed_ = code != Z_OK && code != Z_BUF_ERROR;
        return !failed_ && (stream_.avail_in > 0 || stream_.avail_out == 0);
    }
};

Inflate::Inflate(Format format)
    : stream_(std::make_unique<Stream>(format))
{
}

Inflate::~Inflate() = default;
Inflate::Inflate(Inflate &&other) noexcept = default;
Inflate &Inflate::operator=(Inflate &&other) noexcept = default;

bool Inflate::ended() const noexcept
{
    return stream_->ended();
}

bool Inflate::feed(std::string_view bytes,
                   const std::function<void(std::string_view)> &sink)
{
    return stream_->feed(bytes, sink);
}

class GzipCompressor::Stream
{
public:
    Stream()
    {
        if (deflateInit2(&stream_, fast, Z_DEFLATED, raw_deflate, usual_memory,
                         Z_DEFAULT_STRATEGY) != Z_OK) {
            throw Error(ExitStatus::TryAgain, "no memory to compress an answer");
        }
    }
    ~Stream() { deflateEnd(&stream_); }
    Stream(const Stream &) = delete;
    Stream &operator=(const Stream &) = delete;

    std::string compress(std::string_view text)
    {
        deflateReset(&stream_); // so that nothing before is referred to
        std::string buffer(deflateBound(&stream_, text.size()) + of_flush, '\0');
        stream_.next_in =
            const_cast<Bytef *>(reinterpret_cast<const Bytef *>(text.data()));
        stream_.avail_in = static_cast<uInt>(text.size());
        stream_.next_out = reinterpret_cast<Bytef *>(buffer.data());
        stream_.avail_out = static_cast<uInt>(buffer.size());
        if (deflate(&stream_, Z_SYNC_FLUSH) != Z_OK || stream_.avail_in > 0 ||
            stream_.avail_out == 0) {
            throw Error(ExitStatus::Bug, "zlib: cannot compress a text");
        }
        return {buffer, 0, buffer.size() - stream_.avail_out}; // no more room than that
    }

private:
    z_stream stream_ = {};
};

GzipCompressor::GzipCompressor() = default;
GzipCompressor::~GzipCompressor() = default;

GzipPiece GzipCompressor::compress(std::string_view text)
{
    if (!stream_) {
        stream_ = std::make_unique<Stream>();
    }
    const auto *bytes = reinterpret_cast<const Bytef *>(text.data());
    return {stream_->compress(text),
            static_cast<uint32_t>(crc32_z(0, bytes, text.size())), text.size()};
}

std::string_view GzipStream::beginning() noexcept
{
    return gzip_beginning;
}

void GzipStream::add(const GzipPiece &piece) noexcept
{
    sum_ = static_cast<uint32_t>(
        crc32_combine(sum_, piece.sum, static_cast<z_off_t>(piece.size)));
    size_ += piece.size;
}

std::string GzipStream::end() const
{
    std::string bytes(last_block);
    append_little_endian(bytes, sum_);
    append_little_endian(bytes, static_cast<uint32_t>(size_)); // modulo 2^32, as it says
    return bytes;
}

} // namespace ap
