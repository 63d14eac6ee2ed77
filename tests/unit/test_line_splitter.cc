#include "check.hh"

#include "base/line_splitter.hh"

#include <vector>

using namespace ap;

namespace {

class Fixture
{
public:
    void feed(std::string_view piece)
    {
        splitter.feed(
            piece, [&](std::string_view line) { lines += "[" + std::string(line) + "]"; },
            [&](std::string_view start) { overlong.emplace_back(start); });
    }

    void finish()
    {
        splitter.finish(
            [&](std::string_view line) { lines += "[" + std::string(line) + "]"; });
    }

    LineSplitter splitter;
    std::string lines;
    std::vector<std::string> overlong;
};

void lines_come_out_however_the_stream_is_cut()
{
    constexpr std::string_view stream = "one\n\ntwo words\nlast";
    for (size_t size = 1; size <= stream.size(); size++) {
        Fixture cut;
        for (size_t at = 0; at < stream.size(); at += size) {
            cut.feed(stream.substr(at, size));
        }
        CHECK_EQUAL(cut.lines, "[one][][two words]");
        cut.finish();
        CHECK_EQUAL(cut.lines, "[one][][two words][last]");
    }
}

void a_stream_that_ends_with_a_newline_has_no_further_line()
{
    Fixture cut;
    cut.feed("one\n");
    cut.finish();
    CHECK_EQUAL(cut.lines, "[one]");
}

void given_counts_the_bytes_of_the_lines_that_came_out()
{
    Fixture cut;
    CHECK_EQUAL(cut.splitter.given(), 0);
    cut.feed("on");
    CHECK_EQUAL(cut.splitter.given(), 0);
    cut.feed("e\ntw");
    CHECK_EQUAL(cut.splitter.given(), 4);
    cut.finish();
    CHECK_EQUAL(cut.splitter.given(), 6);
}

void a_line_of_the_greatest_length_comes_out()
{
    Fixture cut;
    cut.feed(std::string(LineSplitter::longest_line, 'x') + "\n");
    CHECK_EQUAL(cut.lines.size(), LineSplitter::longest_line + 2);
    CHECK(cut.overlong.empty());
}

void a_longer_line_is_dropped_and_shown_by_its_start()
{
    Fixture cut;
    cut.feed("before\n" + std::string(LineSplitter::longest_line, 'x'));
    cut.feed("yy");
    CHECK_EQUAL(cut.splitter.given(), 7);
    cut.feed("still the same line\nafter\n");
    CHECK_EQUAL(cut.lines, "[before][after]");
    CHECK_EQUAL(cut.overlong.size(), 1u);
    CHECK_EQUAL(cut.overlong[0], std::string(200, 'x'));
    CHECK_EQUAL(cut.splitter.given(),
                static_cast<int64_t>(7 + LineSplitter::longest_line + 2 + 20 + 6));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(lines_come_out_however_the_stream_is_cut),
        TEST(a_stream_that_ends_with_a_newline_has_no_further_line),
        TEST(given_counts_the_bytes_of_the_lines_that_came_out),
        TEST(a_line_of_the_greatest_length_comes_out),
        TEST(a_longer_line_is_dropped_and_shown_by_its_start),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
