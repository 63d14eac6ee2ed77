#include "check.hh"

#include "base/exception_slot.hh"

#include <stdexcept>

using namespace ap;

namespace {

void the_first_exception_comes_out_once()
{
    ExceptionSlot slot;
    CHECK(slot.guard([] {}));
    slot.rethrow();
    CHECK(!slot.guard([] { throw std::runtime_error("first"); }));
    CHECK(!slot.guard([] { throw std::logic_error("second"); }));
    CHECK_THROWS(slot.rethrow(), std::runtime_error, [](const std::exception &error) {
        CHECK_EQUAL(std::string(error.what()), "first");
    });
    slot.rethrow();
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(the_first_exception_comes_out_once),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
