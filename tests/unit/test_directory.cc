#include "check.hh"
#include "support.hh"

#include "base/error.hh"
#include "sys/directory.hh"

#include <algorithm>

using namespace ap;

namespace {

void lists_what_is_there_without_the_directory_itself()
{
    const check::TemporaryDirectory directory;
    make_directories(directory.file("below"), 0700);
    write_file_atomically(directory.file(".hidden"), "");
    std::vector<std::string> names = names_in(directory.path());
    std::sort(names.begin(), names.end());
    CHECK_EQUAL(names.size(), size_t{2});
    CHECK_EQUAL(names[0], ".hidden");
    CHECK_EQUAL(names[1], "below");
}

void a_directory_that_is_not_there_has_no_names()
{
    const check::TemporaryDirectory directory;
    CHECK(names_in(directory.file("none")).empty());
}

void a_name_too_long_cannot_be_listed()
{
    CHECK_THROWS(names_in("/" + std::string(5000, 'x')), SystemError,
                 [](const SystemError &error) {
                     CHECK(std::string(error.what()).starts_with("cannot list '/xxx"));
                 });
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(lists_what_is_there_without_the_directory_itself),
        TEST(a_directory_that_is_not_there_has_no_names),
        TEST(a_name_too_long_cannot_be_listed),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
