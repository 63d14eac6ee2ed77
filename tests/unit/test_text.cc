#include "check.hh"

#include "base/error.hh"
#include "base/text.hh"

#include <limits>

using namespace ap;
using namespace std::chrono_literals;

namespace {

void trim_removes_blanks_at_both_ends_only()
{
    CHECK_EQUAL(trim(" \t a b\r\n"), "a b");
    CHECK_EQUAL(trim("x"), "x");
    CHECK_EQUAL(trim(" \n\t "), "");
    CHECK_EQUAL(trim(""), "");
}

void split_keeps_empty_pieces()
{
    const auto pieces = split(",a,,b,", ',');
    CHECK_EQUAL(pieces.size(), size_t{5});
    CHECK_EQUAL(pieces[0], "");
    CHECK_EQUAL(pieces[1], "a");
    CHECK_EQUAL(pieces[2], "");
    CHECK_EQUAL(pieces[3], "b");
    CHECK_EQUAL(pieces[4], "");
    CHECK_EQUAL(split("", ',').size(), size_t{1});
}

void join_puts_separators_between_items()
{
    const std::vector<std::string> items = {"a", "", "c"};
    CHECK_EQUAL(join(items, ", "), "a, , c");
    CHECK_EQUAL(join({}, ", "), "");
}

void parse_integer_takes_whole_numbers_within_bounds()
{
    constexpr int64_t lowest = std::numeric_limits<int64_t>::min();
    constexpr int64_t highest = std::numeric_limits<int64_t>::max();
    CHECK_EQUAL(parse_integer("42", 0, 42).value_or(-1), 42);
    CHECK_EQUAL(parse_integer("-7", -7, 0).value_or(-1), -7);
    CHECK_EQUAL(parse_integer("9223372036854775807", lowest, highest).value_or(0),
                highest);
    CHECK_EQUAL(parse_integer("-9223372036854775808", lowest, highest).value_or(0),
                lowest);
    for (const std::string_view text :
         {"", " ", " 1", "1 ", "+1", "1.0", "0x1", "1e3", "9223372036854775808", "-"}) {
        CHECK(!parse_integer(text, lowest, highest));
    }
    CHECK(!parse_integer("43", 0, 42));
    CHECK(!parse_integer("-1", 0, 42));
}

void require_integer_names_what_expected_and_got()
{
    CHECK_EQUAL(require_integer("5", 1, 9, "jobs"), 5);
    CHECK_THROWS(require_integer("1\n2", 1, 9, "jobs"), Error, [](const Error &error) {
        CHECK_EQUAL(error.what(), std::string("jobs: expected a whole number from 1 to "
                                              "9, got '1\\x0a2'"));
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
    });
}

void parse_decimal_refuses_signs_exponents_and_giants()
{
    CHECK_EQUAL(parse_decimal("0.5").value_or(-1), 0.5);
    CHECK_EQUAL(parse_decimal("12").value_or(-1), 12.0);
    for (const std::string_view text :
         {"", "-1", "+1", "1e3", "nan", "inf", "1,5", " 1", "1 ", "1000000000", "."}) {
        CHECK(!parse_decimal(text));
    }
}

void parse_duration_knows_its_units()
{
    CHECK(parse_duration("250ms") == 250ms);
    CHECK(parse_duration("1.5s") == 1500ms);
    CHECK(parse_duration("2") == 2s);
    CHECK(parse_duration("3m") == 3min);
    CHECK(parse_duration("4h") == 4h);
    CHECK(parse_duration("366d") == 366 * 24h);
    CHECK(parse_duration("0") == 0ms);
}

void parse_duration_refuses_everything_else()
{
    for (const std::string_view text :
         {"", "s", "-1s", "1 s", "1w", "1S", "s1", "1m30s", "367d", "1e3s", "ms"}) {
        CHECK(!parse_duration(text));
    }
}

void format_duration_shows_two_units_at_most()
{
    CHECK_EQUAL(format_duration(0ms), "0ms");
    CHECK_EQUAL(format_duration(999ms), "999ms");
    CHECK_EQUAL(format_duration(12'999ms), "12s");
    CHECK_EQUAL(format_duration(187s), "3m07s");
    CHECK_EQUAL(format_duration(59min + 59s), "59m59s");
    CHECK_EQUAL(format_duration(2h + 5min), "2h05m");
    CHECK_EQUAL(format_duration(24h * 4 + 3h), "4d03h");
}

void format_count_rounds_to_one_decimal()
{
    CHECK_EQUAL(format_count(0), "0");
    CHECK_EQUAL(format_count(999), "999");
    CHECK_EQUAL(format_count(1000), "1.0k");
    CHECK_EQUAL(format_count(12'340), "12.3k");
    CHECK_EQUAL(format_count(999'949), "999.9k");
    CHECK_EQUAL(format_count(999'950), "1.0M");
    CHECK_EQUAL(format_count(4'500'000), "4.5M");
}

void identifiers_are_safe_as_file_names()
{
    CHECK(is_identifier("a"));
    CHECK(is_identifier("9-run_1.x"));
    CHECK(is_identifier(std::string(128, 'a')));
    CHECK(!is_identifier(std::string(129, 'a')));
    for (const std::string_view text : {"", ".", "..", "-a", "_a", "a/b", "a b", "ä"}) {
        CHECK(!is_identifier(text));
    }
    CHECK(!is_identifier(std::string_view("a\0b", 3)));
}

void printable_keeps_a_message_on_one_line()
{
    CHECK_EQUAL(printable("plain text"), "plain text");
    CHECK_EQUAL(printable("a\nb\\\x7f\xff"), "a\\x0ab\\x5c\\x7f\\xff");
    CHECK_EQUAL(printable("abcdef", 3), "abc...");
    CHECK_EQUAL(printable("abc", 3), "abc");
}

void nearest_finds_typing_errors_but_not_other_words()
{
    constexpr std::string_view known[] = {"create", "list", "show", "delete"};
    CHECK_EQUAL(nearest("craete", known).value_or(""), "create");
    CHECK_EQUAL(nearest("lsit", known).value_or(""), "list");
    CHECK_EQUAL(nearest("lst", known).value_or(""), "list");
    CHECK_EQUAL(nearest("delete", known).value_or(""), "delete");
    CHECK(!nearest("frobnicate", known));
    CHECK(!nearest("create", {}));
}

void alternatives_are_listed_with_an_or()
{
    constexpr std::string_view values[] = {"a", "b", "c"};
    CHECK_EQUAL(alternatives(values), "a, b or c");
    CHECK_EQUAL(alternatives(std::span(values).first(2)), "a or b");
    CHECK_EQUAL(alternatives(std::span(values).first(1)), "a");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(trim_removes_blanks_at_both_ends_only),
        TEST(split_keeps_empty_pieces),
        TEST(join_puts_separators_between_items),
        TEST(parse_integer_takes_whole_numbers_within_bounds),
        TEST(require_integer_names_what_expected_and_got),
        TEST(parse_decimal_refuses_signs_exponents_and_giants),
        TEST(parse_duration_knows_its_units),
        TEST(parse_duration_refuses_everything_else),
        TEST(format_duration_shows_two_units_at_most),
        TEST(format_count_rounds_to_one_decimal),
        TEST(identifiers_are_safe_as_file_names),
        TEST(printable_keeps_a_message_on_one_line),
        TEST(nearest_finds_typing_errors_but_not_other_words),
        TEST(alternatives_are_listed_with_an_or),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
