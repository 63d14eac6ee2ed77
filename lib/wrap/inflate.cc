#include "wrap/inflate.hh"

#include "base/error.hh"

#include <array>
#include <zlib.h>

namespace ap {

namespace {

constexpr int raw_deflate = -MAX_WBITS;
constexpr int gzip = MAX_WBITS + 16;
constexpr size_t piece_size = size_t{16} * 1024;

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

} // namespace ap
