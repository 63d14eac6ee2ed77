#include "check.hh"
#include "support.hh"

#include "eventually.hh"
#include "sys/watch.hh"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <unistd.h>

using namespace ap;
using namespace std::chrono_literals;

namespace {

void put(const std::string &path, std::string_view text)
{
    write_all(open_file(path, O_WRONLY | O_CREAT | O_TRUNC).get(), text, path);
}

void a_written_and_closed_file_is_told_once()
{
    const check::TemporaryDirectory directory;
    DirectoryWatch watch(directory.path());
    CHECK(watch.changed().empty());
    put(directory.file("a"), "1");
    put(directory.file("b"), "2");
    put(directory.file("a"), "3");
    CHECK(check::becomes_readable(watch.fd(), 0ms));
    auto names = watch.changed();
    std::sort(names.begin(), names.end());
    CHECK_EQUAL(names.size(), 2u);
    CHECK_EQUAL(names[0], "a");
    CHECK_EQUAL(names[1], "b");
    CHECK(watch.changed().empty());
}

void a_file_moved_in_is_told()
{
    const check::TemporaryDirectory directory;
    const check::TemporaryDirectory elsewhere;
    put(elsewhere.file("x"), "");
    DirectoryWatch watch(directory.path());
    CHECK_EQUAL(rename(elsewhere.file("x").c_str(), directory.file("y").c_str()), 0);
    const auto names = watch.changed();
    CHECK_EQUAL(names.size(), 1u);
    CHECK_EQUAL(names[0], "y");
}

void a_file_still_open_is_not_told()
{
    const check::TemporaryDirectory directory;
    DirectoryWatch watch(directory.path());
    Fd file = open_file(directory.file("a"), O_WRONLY | O_CREAT);
    write_all(file.get(), "half", "a");
    CHECK(watch.changed().empty());
    file.reset();
    CHECK_EQUAL(watch.changed().size(), 1u);
}

void a_read_or_removed_file_is_not_told()
{
    const check::TemporaryDirectory directory;
    put(directory.file("a"), "text");
    DirectoryWatch watch(directory.path());
    CHECK_EQUAL(read_file(directory.file("a"), 100), "text");
    remove_file(directory.file("a"));
    CHECK(watch.changed().empty());
}

void an_overflow_is_told_as_a_star()
{
    const check::TemporaryDirectory directory;
    DirectoryWatch watch(directory.path());
    const auto limit =
        std::stoi(read_file("/proc/sys/fs/inotify/max_queued_events", 100));
    const std::array<std::string, 2> paths = {directory.file("a"), directory.file("b")};
    for (int i = 0; i < limit + 10; i++) {
        // Turn about, since equal events that follow each other are counted as one.
        open_file(paths[static_cast<size_t>(i % 2)], O_WRONLY | O_CREAT);
    }
    bool overflowed = false;
    for (auto names = watch.changed(); !names.empty(); names = watch.changed()) {
        if (names.front() == "*") {
            CHECK_EQUAL(names.size(), 1u);
            overflowed = true;
        }
    }
    CHECK(overflowed);
    put(directory.file("later"), "");
    const auto names = watch.changed();
    CHECK_EQUAL(names.size(), 1u);
    CHECK_EQUAL(names[0], "later");
}

void only_a_directory_can_be_watched()
{
    const check::TemporaryDirectory directory;
    put(directory.file("file"), "");
    CHECK_THROWS(DirectoryWatch(directory.file("none")), SystemError,
                 [](const SystemError &error) { CHECK_EQUAL(error.code(), ENOENT); });
    CHECK_THROWS(DirectoryWatch(directory.file("file")), SystemError,
                 [](const SystemError &error) { CHECK_EQUAL(error.code(), ENOTDIR); });
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_written_and_closed_file_is_told_once),
        TEST(a_file_moved_in_is_told),
        TEST(a_file_still_open_is_not_told),
        TEST(a_read_or_removed_file_is_not_told),
        TEST(an_overflow_is_told_as_a_star),
        TEST(only_a_directory_can_be_watched),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
