#include "check.hh"
#include "support.hh"

#include "sys/mapped_file.hh"

#include <cstring>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace ap;

namespace {

std::string text_in(const MappedFile &file)
{
    return reinterpret_cast<const char *>(file.data());
}

void what_a_killed_process_stored_is_there()
{
    const check::TemporaryDirectory directory;
    const std::string path = directory.file("map");
    const pid_t child = fork();
    if (child == 0) {
        MappedFile file(path, 10'000);
        std::strcpy(reinterpret_cast<char *>(file.data()), "stored");
        kill(getpid(), SIGKILL);
    }
    CHECK_EQUAL(waitpid(child, nullptr, 0), child);
    const MappedFile left(path, 0);
    CHECK_EQUAL(left.size(), size_t{10'000});
    CHECK_EQUAL(text_in(left), "stored");
}

void a_new_map_is_all_zeros()
{
    const check::TemporaryDirectory directory;
    const std::string path = directory.file("map");
    replace_file(path, "old content");
    const MappedFile file(path, 100);
    CHECK_EQUAL(file.size(), size_t{100});
    CHECK_EQUAL(text_in(file), "");
}

void one_holds_it_at_a_time()
{
    const check::TemporaryDirectory directory;
    const std::string path = directory.file("map");
    {
        const MappedFile first(path, 100);
        CHECK_THROWS(MappedFile(path, 100), Error, [](const Error &error) {
            CHECK_EQUAL(error.status(), ExitStatus::TryAgain);
            CHECK(std::string(error.what()).ends_with("/map' is in use"));
        });
        CHECK_EQUAL(text_in(first), "");
    }
    const MappedFile second(path, 0);
    CHECK_EQUAL(second.size(), size_t{100});
}

void a_moved_map_is_still_held_by_one()
{
    const check::TemporaryDirectory directory;
    MappedFile first(directory.file("map"), 100);
    const MappedFile second = std::move(first);
    CHECK(first.data() == nullptr); // NOLINT(bugprone-use-after-move): that is the test
    CHECK(second.data() != nullptr);
}

void a_missing_or_empty_file_is_told_apart()
{
    const check::TemporaryDirectory directory;
    CHECK_THROWS(MappedFile(directory.file("none"), 0), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::NoInput);
    });
    replace_file(directory.file("empty"), "");
    CHECK(MappedFile(directory.file("empty"), 0).data() == nullptr);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(what_a_killed_process_stored_is_there),
        TEST(a_new_map_is_all_zeros),
        TEST(one_holds_it_at_a_time),
        TEST(a_moved_map_is_still_held_by_one),
        TEST(a_missing_or_empty_file_is_told_apart),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
