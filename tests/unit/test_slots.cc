#include "check.hh"

#include "base/slots.hh"

#include <string>
#include <vector>

using namespace ap;

namespace {

void an_object_is_used_again_under_another_id()
{
    Slots<std::string> slots;
    int made = 0;
    const auto make = [&](std::string &) { made++; };
    const uint64_t first = slots.take(make);
    std::string *object = slots.find(first);
    *object = "kept";
    slots.give_back(first);
    CHECK(slots.find(first) == nullptr);
    const uint64_t second = slots.take(make);
    CHECK(second != first);
    CHECK(slots.find(second) == object);
    CHECK_EQUAL(*slots.find(second), "kept");
    CHECK(slots.find(first) == nullptr);
    slots.give_back(first);
    CHECK_EQUAL(slots.used(), 1u);
    CHECK_EQUAL(made, 1);
}

void objects_stay_where_they_are()
{
    Slots<int> slots;
    std::vector<uint64_t> ids;
    std::vector<int *> places;
    for (int i = 0; i < 1000; i++) {
        ids.push_back(slots.take([](int &) {}));
        places.push_back(slots.find(ids.back()));
        *places.back() = i;
    }
    for (size_t i = 0; i < ids.size(); i++) {
        CHECK(slots.find(ids[i]) == places[i]);
    }
}

void each_may_give_back_what_it_is_shown()
{
    Slots<int> slots;
    for (int i = 0; i < 10; i++) {
        slots.take([](int &) {});
    }
    int seen = 0;
    slots.each([&](uint64_t id, int &) {
        seen++;
        slots.give_back(id);
    });
    CHECK_EQUAL(seen, 10);
    CHECK_EQUAL(slots.used(), 0u);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(an_object_is_used_again_under_another_id),
        TEST(objects_stay_where_they_are),
        TEST(each_may_give_back_what_it_is_shown),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
