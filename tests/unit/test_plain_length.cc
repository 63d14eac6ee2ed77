#include "check.hh"

#include "base/plain_length.hh"

#include <string>

using namespace ap;

namespace {

// Each byte at each place, behind what is near to being an end.
void the_first_byte_that_does_not_stand_for_itself_ends_it()
{
    for (int value = 0; value < 256; ++value) {
        const char byte = static_cast<char>(value);
        const bool ends = byte == '"' || byte == '\\' || (value >= 0 && value < 0x20);
        for (size_t place = 0; place < 24; ++place) {
            for (const char before :
                 {'a', ' ', '!', '#', '[', ']', '\x7f', '\x80', '\xff'}) {
                std::string text(24, before);
                text[place] = byte;
                CHECK_EQUAL(plain_length(text), ends ? place : text.size());
            }
        }
    }
}

void a_later_end_does_not_hide_an_earlier_one()
{
    CHECK_EQUAL(plain_length("abc\"def\\"), 3u);
    CHECK_EQUAL(plain_length("\\bc\"defghijkl"), 0u);
    CHECK_EQUAL(plain_length("abcdefghij\n\"\\klmnopqrs"), 10u);
}

void nothing_has_no_length()
{
    CHECK_EQUAL(plain_length(""), 0u);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(the_first_byte_that_does_not_stand_for_itself_ends_it),
        TEST(a_later_end_does_not_hide_an_earlier_one),
        TEST(nothing_has_no_length),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
