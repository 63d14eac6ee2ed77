#include "check.hh"
#include "compressed.hh"

#include "wrap/zlib.hh"

using namespace ap;

namespace {

std::string text_of(size_t size)
{
    std::string text;
    for (unsigned i = 0; text.size() < size; ++i) {
        text += std::to_string(i * 2654435761u);
    }
    return text;
}

std::string inflated(std::string_view bytes, Inflate::Format format,
                     size_t piece = std::string_view::npos)
{
    Inflate inflate(format);
    std::string result;
    for (size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size())) {
        if (!inflate.feed(bytes.substr(at, piece),
                          [&result](std::string_view text) { result += text; })) {
            return "failed";
        }
    }
    return result;
}

void gzip_comes_out_as_it_went_in()
{
    const std::string text = text_of(100'000);
    const std::string bytes = check::compressed(text, 31);
    CHECK(inflated(bytes, Inflate::Format::Gzip) == text);
    CHECK(inflated(bytes, Inflate::Format::Gzip, 1) == text);
    CHECK(inflated(bytes, Inflate::Format::Gzip, 1000) == text);
}

void gzip_members_one_after_the_other_are_one_text()
{
    const std::string bytes =
        check::compressed("first ", 31) + check::compressed("second", 31);
    CHECK_EQUAL(inflated(bytes, Inflate::Format::Gzip), "first second");
    CHECK_EQUAL(inflated(bytes, Inflate::Format::Gzip, 1), "first second");
}

void deflate_is_known_with_and_without_its_header()
{
    const std::string text = text_of(50'000);
    for (const int window : {15, -15}) {
        CHECK(inflated(check::compressed(text, window), Inflate::Format::Deflate) ==
              text);
        CHECK(inflated(check::compressed(text, window), Inflate::Format::Deflate, 3) ==
              text);
    }
}

void what_is_not_compressed_fails_and_stays_failed()
{
    CHECK_EQUAL(inflated("plain text", Inflate::Format::Gzip), "failed");
    Inflate inflate(Inflate::Format::Gzip);
    const auto ignore = [](std::string_view) {};
    CHECK(!inflate.feed("plain text", ignore));
    CHECK(!inflate.feed(check::compressed("x", 31), ignore));
}

void a_cut_off_text_comes_as_far_as_it_goes()
{
    const std::string text = text_of(50'000);
    const std::string bytes = check::compressed(text, 31);
    const std::string half = inflated(std::string_view(bytes).substr(0, bytes.size() / 2),
                                      Inflate::Format::Gzip);
    CHECK(half.size() > 1000 && text.starts_with(half));
}

// A stream of pieces as a client gets it.
std::string stream_of(std::initializer_list<GzipPiece> pieces)
{
    GzipStream stream;
    std::string bytes(GzipStream::beginning());
    for (const GzipPiece &piece : pieces) {
        stream.add(piece);
        bytes += piece.bytes;
    }
    return bytes + stream.end();
}

// What a strict reader makes of it: "failed" unless sum and length are right.
std::string read_to_the_end(std::string_view bytes)
{
    Inflate inflate(Inflate::Format::Gzip);
    std::string text;
    const auto collect = [&text](std::string_view piece) { text += piece; };
    return inflate.feed(bytes, collect) && inflate.ended() ? text : "failed";
}

void pieces_in_any_order_are_one_stream()
{
    GzipCompressor compressor;
    const GzipPiece one = compressor.compress("the same words, the same words\n");
    const GzipPiece two = compressor.compress("the same words, others too\n");
    const GzipPiece large = compressor.compress(text_of(300'000));
    CHECK_EQUAL(read_to_the_end(stream_of({one, two, one})),
                "the same words, the same words\nthe same words, others too\n"
                "the same words, the same words\n");
    CHECK_EQUAL(read_to_the_end(stream_of({two})), "the same words, others too\n");
    CHECK(read_to_the_end(stream_of({two, large, one})) ==
          "the same words, others too\n" + text_of(300'000) +
              "the same words, the same words\n");
    CHECK_EQUAL(read_to_the_end(stream_of({})), "");
}

void a_piece_can_be_read_when_it_has_come()
{
    GzipCompressor compressor;
    const std::string begun =
        std::string(GzipStream::beginning()) + compressor.compress("first\n").bytes;
    CHECK_EQUAL(inflated(begun, Inflate::Format::Gzip), "first\n");
    CHECK_EQUAL(
        inflated(begun + compressor.compress("second\n").bytes, Inflate::Format::Gzip),
        "first\nsecond\n");
}

void a_stream_that_lost_a_piece_fails()
{
    GzipCompressor compressor;
    const GzipPiece one = compressor.compress("one");
    const GzipPiece two = compressor.compress("two");
    GzipStream stream;
    stream.add(one);
    stream.add(two);
    CHECK_EQUAL(
        read_to_the_end(std::string(GzipStream::beginning()) + two.bytes + stream.end()),
        "failed");
}

void what_is_repeated_becomes_short()
{
    std::string text;
    for (int i = 0; i < 1000; i++) {
        text += "id: " + std::to_string(i) + "\nevent: phase.status\n\n";
    }
    CHECK(GzipCompressor().compress(text).bytes.size() < text.size() / 8);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(gzip_comes_out_as_it_went_in),
        TEST(gzip_members_one_after_the_other_are_one_text),
        TEST(deflate_is_known_with_and_without_its_header),
        TEST(what_is_not_compressed_fails_and_stays_failed),
        TEST(a_cut_off_text_comes_as_far_as_it_goes),
        TEST(pieces_in_any_order_are_one_stream),
        TEST(a_piece_can_be_read_when_it_has_come),
        TEST(a_stream_that_lost_a_piece_fails),
        TEST(what_is_repeated_becomes_short),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
