// What is sent of events, compressed in pieces: a reader gets the same text, each piece
// as soon as it has come. And the reader of others' answers: whatever comes, nothing
// crashes.

#include "fuzz.hh"

#include "wrap/zlib.hh"

using namespace ap;
using namespace std::string_view_literals;

namespace {

constexpr std::string_view texts[] = {
    "id: 7\nevent: phase.status\ndata: {\"from\":\"QUEUED\",\"to\":\"EXECUTING\"}\n\n"
    "id: 8\nevent: phase.status\ndata: {\"from\":\"EXECUTING\",\"to\":\"COMPLETE\"}\n\n"sv,
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b\x4c\x4a\x06\x00\xc2\x41\x24\x35\x03\x00\x00\x00"sv,
    "\x78\x9c\x4b\x4c\x4a\x06\x00\x02\x4d\x01\x27"sv,
};

void check_pieces(std::string_view text)
{
    // The one that is kept shows whether a piece depends on what was compressed before.
    static GzipCompressor compressor;
    GzipStream stream;
    Inflate inflate(Inflate::Format::Gzip);
    std::string read;
    const auto feed = [&](std::string_view bytes) {
        fuzz::require(inflate.feed(bytes, [&](std::string_view piece) { read += piece; }),
                      "what is sent can be read");
    };
    feed(GzipStream::beginning());
    size_t sent = 0;
    fuzz::in_pieces(text, static_cast<uint32_t>(text.size()), [&](std::string_view part) {
        const GzipPiece piece = compressor.compress(part);
        stream.add(piece);
        feed(piece.bytes);
        sent += part.size();
        fuzz::require(read == text.substr(0, sent), "a piece is read when it has come");
    });
    feed(stream.end());
    fuzz::require(inflate.ended(), "the stream's sum and length are right");
}

void read_as(Inflate::Format format, std::string_view bytes)
{
    Inflate inflate(format);
    size_t size = 0;
    fuzz::in_pieces(bytes, 1, [&](std::string_view part) {
        inflate.feed(part, [&](std::string_view text) { size += text.size(); });
    });
    fuzz::require(size <= bytes.size() * 1100, "deflate makes at most 1032 bytes of one");
}

} // namespace

std::span<const std::string_view> fuzz::seeds()
{
    return texts;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const std::string_view text = fuzz::text_of(data, size);
    check_pieces(text);
    read_as(Inflate::Format::Gzip, text);
    read_as(Inflate::Format::Deflate, text);
    return 0;
}
