#include "check.hh"
#include "compressed.hh"

#include "wrap/inflate.hh"

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

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(gzip_comes_out_as_it_went_in),
        TEST(gzip_members_one_after_the_other_are_one_text),
        TEST(deflate_is_known_with_and_without_its_header),
        TEST(what_is_not_compressed_fails_and_stays_failed),
        TEST(a_cut_off_text_comes_as_far_as_it_goes),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
