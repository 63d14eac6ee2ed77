#include "check.hh"

#include "cli/table.hh"

using namespace ap;

namespace {

void columns_are_as_wide_as_their_widest_cell()
{
    Table table({"NAME", "STATUS"});
    table.add({"a", "COMPLETE"});
    table.add({"longer", "x"});
    CHECK_EQUAL(table.text(), "NAME    STATUS\na       COMPLETE\nlonger  x\n");
}

void numbers_are_right_aligned_with_their_heading()
{
    Table table({"N", "NAME"});
    table.add({"7", "a"});
    table.add({"1,234", "b"});
    CHECK_EQUAL(table.text(), "    N  NAME\n    7  a\n1,234  b\n");
}

void one_word_makes_a_column_of_words()
{
    Table table({"N", "X"});
    table.add({"7", "y"});
    table.add({"none", "y"});
    CHECK_EQUAL(table.text(), "N     X\n7     y\nnone  y\n");
}

void lines_have_no_blanks_at_their_ends()
{
    Table table({"A", "B"});
    table.add({"x", ""});
    table.add({"y", "wide"});
    CHECK_EQUAL(table.text(), "A  B\nx\ny  wide\n");
}

void widths_count_characters_not_bytes()
{
    Table table({"A", "B"});
    table.add({"\xc3\xa4\xc3\xb6", "x"});
    table.add({"abc", "x"});
    CHECK_EQUAL(table.text(), "A    B\n\xc3\xa4\xc3\xb6   x\nabc  x\n");
}

void a_table_without_rows_is_its_headings()
{
    CHECK_EQUAL(Table({"RUN", "STATUS"}).text(), "RUN  STATUS\n");
}

void missing_cells_are_empty()
{
    Table table({"A", "B"});
    table.add({"x"});
    CHECK_EQUAL(table.text(), "A  B\nx\n");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(columns_are_as_wide_as_their_widest_cell),
        TEST(numbers_are_right_aligned_with_their_heading),
        TEST(one_word_makes_a_column_of_words),
        TEST(lines_have_no_blanks_at_their_ends),
        TEST(widths_count_characters_not_bytes),
        TEST(a_table_without_rows_is_its_headings),
        TEST(missing_cells_are_empty),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
