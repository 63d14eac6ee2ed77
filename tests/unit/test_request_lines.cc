#include "check.hh"

#include "wrap/request_lines.hh"

using namespace ap;

namespace {

std::string lines_for(std::initializer_list<HttpField> fields)
{
    const std::vector<HttpField> all(fields);
    RequestLines lines;
    lines.make(all);
    std::string text;
    for (size_t i = 0; i < lines.count(); i++) {
        text += std::string(lines.line(i)) + "|";
    }
    return text;
}

void fields_become_lines_in_their_order()
{
    CHECK_EQUAL(
        lines_for({{"accept", "*/*"}, {"X-A", "1"}, {"Content-Type", "t"}, {"x-a", "2"}}),
        "accept: */*|X-A: 1|Content-Type: t|x-a: 2|Expect:|");
}

void an_empty_value_is_not_left_out()
{
    CHECK_EQUAL(lines_for({{"accept", ""}, {"content-type", "t"}}),
                "accept;|content-type: t|Expect:|");
}

void what_the_client_writes_itself_is_left_to_it()
{
    CHECK_EQUAL(lines_for({{"Host", "h"},
                           {"Content-Length", "3"},
                           {"Connection", "close"},
                           {"Transfer-Encoding", "chunked"},
                           {"Expect", "100-continue"},
                           {"Accept", "a"},
                           {"Content-Type", "t"}}),
                "Accept: a|Content-Type: t|Expect:|");
}

void the_library_adds_nothing_that_was_not_asked_for()
{
    CHECK_EQUAL(lines_for({}), "Accept:|Content-Type:|Expect:|");
}

void lines_are_made_anew_each_time()
{
    RequestLines lines;
    const HttpField many[] = {
        {"a", "1"}, {"b", "2"}, {"accept", "x"}, {"content-type", "y"}};
    lines.make(many);
    CHECK_EQUAL(lines.count(), 5u);
    lines.make({});
    CHECK_EQUAL(lines.count(), 3u);
    CHECK_EQUAL(std::string(lines.line(0)), "Accept:");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(fields_become_lines_in_their_order),
        TEST(an_empty_value_is_not_left_out),
        TEST(what_the_client_writes_itself_is_left_to_it),
        TEST(the_library_adds_nothing_that_was_not_asked_for),
        TEST(lines_are_made_anew_each_time),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
