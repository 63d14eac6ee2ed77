#include "check.hh"

#include "domain/usage_strip.hh"

using namespace ap;

namespace {

std::string stripped(std::string_view stream, size_t piece = std::string_view::npos)
{
    UsageStrip strip;
    std::string out;
    for (size_t at = 0; at < stream.size(); at += std::min(piece, stream.size())) {
        strip.feed(stream.substr(at, piece), out);
    }
    strip.finish(out);
    return out;
}

void check_stripped(std::string_view stream, std::string_view expected)
{
    for (size_t piece = 1; piece <= stream.size(); ++piece) {
        CHECK_EQUAL(stripped(stream, piece), expected);
    }
}

const std::string text = R"(data: {"choices":[{"delta":{"content":"x"}}],"usage":null})";
const std::string usage = R"(data: {"choices":[],"usage":{"prompt_tokens":1}})";

void the_usage_chunk_goes_and_all_else_stays()
{
    for (const std::string end : {"\n\n", "\r\n\r\n", "\r\r", "\n\r\n"}) {
        const std::string done = "data: [DONE]" + end;
        check_stripped(text + end + usage + end + done, text + end + done);
    }
    check_stripped("data: {\"usage\":{}}\n\n", "");
    check_stripped("data: {\"choices\":null,\"usage\":{}}\n\n", "");
}

void a_chunk_with_choices_stays_whatever_its_usage()
{
    const std::string both = R"(data: {"choices":[{}],"usage":{"a":1}})"
                             "\n\n";
    check_stripped(both, both);
    const std::string none = "data: {\"choices\":[],\"usage\":null}\n\n: comment\n\n"
                             "data: not json {\"usage\":{}}\n\nevent: x\n\n";
    check_stripped(none, none);
}

void an_unfinished_event_passes_at_the_end()
{
    check_stripped(text + "\n\n" + usage, text + "\n\n" + usage);
}

void an_event_passes_as_soon_as_it_is_whole()
{
    UsageStrip strip;
    std::string out;
    strip.feed(text + "\r\n\r", out);
    CHECK_EQUAL(out, text + "\r\n\r");
    strip.feed("\n", out);
    CHECK_EQUAL(out, text + "\r\n\r\n");
    strip.feed(usage + "\r\n\r\n", out);
    CHECK_EQUAL(out, text + "\r\n\r\n");
    CHECK(strip.stripped());
}

void a_giant_event_is_not_held_back()
{
    UsageStrip strip;
    std::string out;
    strip.feed("data: {\"usage\":{},\"pad\":\"" + std::string(100'000, 'x'), out);
    CHECK(out.size() > 100'000);
    strip.feed("\"}\n\n", out);
    CHECK(out.ends_with("x\"}\n\n"));
    CHECK(!strip.stripped());
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(the_usage_chunk_goes_and_all_else_stays),
        TEST(a_chunk_with_choices_stays_whatever_its_usage),
        TEST(an_unfinished_event_passes_at_the_end),
        TEST(an_event_passes_as_soon_as_it_is_whole),
        TEST(a_giant_event_is_not_held_back),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
