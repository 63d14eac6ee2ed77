#include "check.hh"

#include "domain/sse_splitter.hh"

using namespace ap;

namespace {

// "data|data|" with the offset at which each event ended.
class Events final : public SseSplitter::Handler
{
public:
    std::string text;
    void on_data(std::string_view piece) override { text += piece; }
    void on_event(uint64_t end) override { text += '@' + std::to_string(end) + '|'; }
};

std::string events(std::string_view stream, size_t piece = std::string_view::npos)
{
    SseSplitter splitter;
    Events handler;
    for (size_t at = 0; at < stream.size(); at += std::min(piece, stream.size())) {
        splitter.feed(stream.substr(at, piece), handler);
    }
    CHECK_EQUAL(splitter.offset(), uint64_t{stream.size()});
    return handler.text;
}

void an_empty_line_ends_an_event()
{
    CHECK_EQUAL(events("data: a\n\ndata: b\n\n"), "a@9|b@18|");
    CHECK_EQUAL(events("data: a\n\ndata: b\n"), "a@9|b");
}

void all_three_line_ends_are_known()
{
    CHECK_EQUAL(events("data: a\r\rdata: b\r\r"), "a@9|b@18|");
    CHECK_EQUAL(events("data: a\r\n\r\ndata: b\r\n\r\n"), "a@10|b@21|");
    CHECK_EQUAL(events("data: a\n\r\ndata: b\r\n\n"), "a@9|b@20|");
}

void lines_of_data_are_joined()
{
    CHECK_EQUAL(events("data: a\ndata: b\ndata\ndata:\ndata:c\n\n"), "a\nb\n\n\nc@35|");
}

void one_blank_after_the_colon_is_not_data()
{
    CHECK_EQUAL(events("data:x\n\ndata: x\n\ndata:  x\n\n"), "x@8|x@17| x@27|");
}

void other_fields_and_comments_are_no_data()
{
    CHECK_EQUAL(events("event: ping\nid: 7\n: comment\nretry: 5\ndatax: no\ndat: no\n"
                       "data: yes\n\n"),
                "yes@66|");
    CHECK_EQUAL(events(": keep-alive\n\n\n\ndata: a\n\n"), "@14|a@25|");
}

void a_byte_order_mark_is_skipped_at_the_start_only()
{
    CHECK_EQUAL(events("\xef\xbb\xbf"
                       "data: a\n\n\xef\xbb\xbf"
                       "data: b\n\n"),
                "a@12|@24|");
}

void cutting_it_anywhere_changes_nothing()
{
    const std::string stream = "\xef\xbb\xbf"
                               "event: x\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\n: c\n\n"
                               "data: b\rdata:\r\rdata:c\n\r\ndata: tail";
    const std::string whole = events(stream);
    for (size_t piece = 1; piece < stream.size(); ++piece) {
        CHECK_EQUAL(events(stream, piece), whole);
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(an_empty_line_ends_an_event),
        TEST(all_three_line_ends_are_known),
        TEST(lines_of_data_are_joined),
        TEST(one_blank_after_the_colon_is_not_data),
        TEST(other_fields_and_comments_are_no_data),
        TEST(a_byte_order_mark_is_skipped_at_the_start_only),
        TEST(cutting_it_anywhere_changes_nothing),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
