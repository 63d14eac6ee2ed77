#include "check.hh"

#include "base/http_field.hh"

using namespace ap;

namespace {

void names_are_the_same_in_either_case()
{
    CHECK(same_field_name("Content-Type", "content-type"));
    CHECK(!same_field_name("Content-Type", "content-typ"));
    CHECK(!same_field_name("a[", "a{"));
}

void the_first_field_of_a_name_is_found()
{
    const HttpField fields[] = {{"A", "1"}, {"x-key", "2"}, {"X-Key", "3"}};
    CHECK_EQUAL(find_field(fields, "X-KEY").value_or(""), "2");
    CHECK(!find_field(fields, "X"));
}

void fields_of_the_connection_are_not_passed_on()
{
    CHECK(is_hop_by_hop("Connection"));
    CHECK(is_hop_by_hop("transfer-encoding"));
    CHECK(is_hop_by_hop("TE"));
    CHECK(!is_hop_by_hop("Content-Encoding"));
    CHECK(!is_hop_by_hop(""));
}

void a_token_is_found_in_a_list()
{
    CHECK(has_list_token("keep-alive, Upgrade", "upgrade"));
    CHECK(has_list_token("close", "close"));
    CHECK(!has_list_token("closed, x close", "close"));
    CHECK(!has_list_token("", "close"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(names_are_the_same_in_either_case),
        TEST(the_first_field_of_a_name_is_found),
        TEST(fields_of_the_connection_are_not_passed_on),
        TEST(a_token_is_found_in_a_list),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
