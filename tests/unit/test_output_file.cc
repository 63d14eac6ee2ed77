#include "sys/output_file.hh"

#include "check.hh"
#include "support.hh"

#include "sys/fd.hh"

#include <fcntl.h>
#include <sys/stat.h>

using namespace ap;

namespace {

void has_its_name_only_when_it_is_published()
{
    const check::TemporaryDirectory directory;
    const std::string path = directory.file("a");
    OutputFile file(path);
    write_all(file.fd(), "text", "file");
    CHECK(!path_exists(path));
    CHECK_EQUAL(read_file(file.path(), 100), "text");
    file.sync();
    file.publish();
    CHECK_EQUAL(read_file(path, 100), "text");
    CHECK(!path_exists(directory.file(".a.partial")));
}

void goes_away_unpublished_and_leaves_the_old_one()
{
    const check::TemporaryDirectory directory;
    const std::string path = directory.file("a");
    write_file_atomically(path, "old");
    {
        const OutputFile file(path);
        write_all(file.fd(), "new", "file");
    }
    CHECK_EQUAL(read_file(path, 100), "old");
    CHECK(!path_exists(directory.file(".a.partial")));
}

void takes_the_place_of_what_a_killed_process_left()
{
    const check::TemporaryDirectory directory;
    write_file_atomically(directory.file(".a.partial"), "left behind");
    OutputFile file(directory.file("a"));
    file.publish();
    CHECK_EQUAL(read_file(directory.file("a"), 100), "");
}

void is_its_owners_alone()
{
    const check::TemporaryDirectory directory;
    const OutputFile file(directory.file("a"));
    struct stat status = {};
    CHECK(fstat(file.fd(), &status) == 0);
    CHECK_EQUAL(status.st_mode & 0777, 0600U);
}

void has_no_name_for_standard_output()
{
    const OutputFile file("-");
    write_all(file.fd(), "text", "file");
    CHECK_EQUAL(read_file(file.path(), 100), "text");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(has_its_name_only_when_it_is_published),
        TEST(goes_away_unpublished_and_leaves_the_old_one),
        TEST(takes_the_place_of_what_a_killed_process_left),
        TEST(is_its_owners_alone),
        TEST(has_no_name_for_standard_output),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
