#include "check.hh"
#include "net/error_window.hh"

using namespace std::chrono_literals;
using ap::ErrorWindow;

namespace {

void counts_what_happened_in_ten_minutes()
{
    ErrorWindow window;
    CHECK_EQUAL(window.count(5000s), 0);
    window.note(5000s);
    window.note(5300s);
    window.note(5300s);
    CHECK_EQUAL(window.count(5300s), 3);
    CHECK_EQUAL(window.count(5599s), 3);
    CHECK_EQUAL(window.count(5600s), 2);
    CHECK_EQUAL(window.count(5900s), 0);
}

void forgets_what_a_slot_held_ten_minutes_before()
{
    ErrorWindow window;
    for (int i = 0; i < 100; i++) {
        window.note(5000s);
    }
    window.note(5600s);
    CHECK_EQUAL(window.count(5600s), 1);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(counts_what_happened_in_ten_minutes),
        TEST(forgets_what_a_slot_held_ten_minutes_before),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
