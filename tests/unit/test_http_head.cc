#include "check.hh"

#include "base/http_head.hh"

using namespace ap;

namespace {

void a_header_is_complete_at_its_empty_line()
{
    HttpHead head;
    CHECK(!head.take_line("HTTP/1.1 200 OK\r\n"));
    CHECK(!head.take_line("A:  one \r\n"));
    CHECK(!head.take_line("B:\r\n"));
    CHECK(!head.complete());
    CHECK(head.take_line("\r\n"));
    CHECK(head.complete());
    CHECK_EQUAL(head.status(), 200);
    CHECK_EQUAL(head.fields().size(), 2u);
    CHECK_EQUAL(head.fields()[0].name, "A");
    CHECK_EQUAL(head.fields()[0].value, "one");
    CHECK_EQUAL(head.fields()[1].value, "");
}

void interim_answers_and_trailers_are_passed_over()
{
    HttpHead head;
    for (const char *line : {"HTTP/1.1 100 Continue\r\n", "X: interim\r\n", "\r\n"}) {
        CHECK(!head.take_line(line));
    }
    for (const char *line : {"HTTP/1.1 404 No\r\n", "X: final\r\n"}) {
        CHECK(!head.take_line(line));
    }
    CHECK(head.take_line("\r\n"));
    CHECK(!head.take_line("X: trailer\r\n"));
    CHECK(!head.take_line("\r\n"));
    CHECK_EQUAL(head.status(), 404);
    CHECK_EQUAL(head.fields().size(), 1u);
    CHECK_EQUAL(head.fields()[0].value, "final");
}

void what_is_no_http_has_no_status()
{
    HttpHead head;
    CHECK(!head.take_line("nonsense\r\n"));
    CHECK(!head.take_line("\r\n"));
    CHECK_EQUAL(head.status(), 0);
    CHECK(!head.complete());
    CHECK(!head.take_line("HTTP/1.1\r\n"));
    CHECK_EQUAL(head.status(), 0);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_header_is_complete_at_its_empty_line),
        TEST(interim_answers_and_trailers_are_passed_over),
        TEST(what_is_no_http_has_no_status),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
