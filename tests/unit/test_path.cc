#include "check.hh"
#include "support.hh"

#include "base/error.hh"
#include "sys/path.hh"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace ap;

namespace {

void join_path_puts_one_slash_between()
{
    CHECK_EQUAL(join_path("a", "b"), "a/b");
    CHECK_EQUAL(join_path("a/", "b"), "a/b");
    CHECK_EQUAL(join_path("/", "b"), "/b");
    CHECK_EQUAL(join_path("", "b"), "b");
    CHECK_EQUAL(join_path("a", "/b"), "/b");
}

void parent_path_ends_before_the_last_slash()
{
    CHECK_EQUAL(parent_path("a/b/c"), "a/b");
    CHECK_EQUAL(parent_path("a"), ".");
    CHECK_EQUAL(parent_path("/a"), "/");
    CHECK_EQUAL(parent_path("/"), "/");
}

void absolute_path_cleans_what_it_can_without_looking()
{
    CHECK_EQUAL(absolute_path("/a//b/./c/"), "/a/b/c");
    CHECK_EQUAL(absolute_path("/"), "/");
    CHECK_EQUAL(absolute_path("//."), "/");
    // ".." may cross a link, so it stays.
    CHECK_EQUAL(absolute_path("/a/../b"), "/a/../b");
    const check::TemporaryDirectory directory;
    CHECK(chdir(directory.path().c_str()) == 0);
    CHECK_EQUAL(absolute_path("x/y"), directory.file("x/y"));
    CHECK(chdir("/") == 0);
}

void make_directories_makes_all_and_keeps_what_is_there()
{
    const check::TemporaryDirectory directory;
    const std::string deep = directory.file("a/b/c");
    make_directories(deep);
    CHECK(path_exists(deep));
    write_file_atomically(join_path(deep, "f"), "x");
    make_directories(deep);
    CHECK(path_exists(join_path(deep, "f")));
}

void make_directories_refuses_a_file_in_the_way()
{
    const check::TemporaryDirectory directory;
    write_file_atomically(directory.file("f"), "x");
    CHECK_THROWS((make_directories(directory.file("f")), 0), Error,
                 [](const Error &error) {
                     CHECK_EQUAL(error.status(), ExitStatus::CannotCreate);
                 });
}

void read_file_returns_all_bytes_up_to_the_limit()
{
    const check::TemporaryDirectory directory;
    const std::string data("a\0b\n", 4);
    write_file_atomically(directory.file("f"), data);
    CHECK_EQUAL(read_file(directory.file("f"), 4), data);
    CHECK_THROWS(read_file(directory.file("f"), 3), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
    });
    CHECK_THROWS(read_file(directory.file("none"), 3), SystemError,
                 [](const SystemError &error) {
                     CHECK_EQUAL(error.status(), ExitStatus::NoInput);
                 });
}

void replaced_files_are_whole_and_leave_no_temporary()
{
    const check::TemporaryDirectory directory;
    const std::string path = directory.file("f");
    write_file_atomically(path, "old");
    replace_file(path, "new");
    CHECK_EQUAL(read_file(path, 10), "new");
    write_file_atomically(path, "newer", 0600);
    CHECK_EQUAL(read_file(path, 10), "newer");
    struct stat status = {};
    CHECK(stat(path.c_str(), &status) == 0);
    CHECK_EQUAL(status.st_mode & 0777U, 0600U);
    // remove_file leaves an empty directory only if there was no temporary file.
    remove_file(path);
    CHECK(rmdir(directory.path().c_str()) == 0);
}

void a_failed_replacement_keeps_the_old_file()
{
    const check::TemporaryDirectory directory;
    make_directories(directory.file("d/x"));
    CHECK_THROWS((write_file_atomically(directory.file("d"), "new"), 0), SystemError,
                 [](const SystemError &) {});
    CHECK(path_exists(directory.file("d/x")));
    CHECK(!path_exists(directory.file("d.tmp." + std::to_string(getpid()))));
}

void remove_tree_does_not_follow_links()
{
    const check::TemporaryDirectory directory;
    make_directories(directory.file("kept"));
    write_file_atomically(directory.file("kept/f"), "x");
    make_directories(directory.file("gone/below"));
    write_file_atomically(directory.file("gone/below/f"), "x");
    CHECK(symlink("../kept", directory.file("gone/link").c_str()) == 0);
    remove_tree(directory.file("gone"));
    CHECK(!path_exists(directory.file("gone")));
    CHECK(path_exists(directory.file("kept/f")));
}

void removing_nothing_is_no_error()
{
    const check::TemporaryDirectory directory;
    remove_tree(directory.file("none"));
    remove_file(directory.file("none"));
}

void remove_tree_takes_a_file_or_a_link_too()
{
    const check::TemporaryDirectory directory;
    write_file_atomically(directory.file("f"), "x");
    CHECK(symlink("f", directory.file("l").c_str()) == 0);
    remove_tree(directory.file("l"));
    CHECK(path_exists(directory.file("f")));
    remove_tree(directory.file("f"));
    CHECK(!path_exists(directory.file("f")));
}

// The pid of a process that was.
std::string dead_pid()
{
    const pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    CHECK_EQUAL(waitpid(child, nullptr, 0), child);
    return std::to_string(child);
}

void temporary_names_of_dead_processes_are_removed_and_nothing_else()
{
    const check::TemporaryDirectory directory;
    const std::string dead = dead_pid();
    const std::vector<std::string> kept = {
        "answer",        "answer.tmp." + std::to_string(getpid()),
        ".tmp." + dead,  "answer.tmp.",
        "answer.tmp.7x", "answer.tmp." + dead + ".txt",
        "tmp." + dead,   "below/answer.tmp." + dead};
    make_directories(directory.file("below"));
    for (const std::string &name : kept) {
        write_file_atomically(directory.file(name), "x");
    }
    write_file_atomically(directory.file("answer.tmp." + dead), "half");
    remove_left_temporaries(directory.path());
    CHECK(!path_exists(directory.file("answer.tmp." + dead)));
    for (const std::string &name : kept) {
        CHECK(path_exists(directory.file(name)));
    }
}

void a_file_is_created_once_and_left_as_it_is()
{
    const check::TemporaryDirectory directory;
    const std::string path = directory.file("claim");
    CHECK(create_file(path, "first"));
    CHECK(!create_file(path, "second"));
    CHECK_EQUAL(read_file(path, 100), "first");
    remove_file(path);
    CHECK(create_file(path, "third"));
    CHECK_THROWS(create_file(directory.file("no/claim"), ""), SystemError,
                 [](const Error &) {});
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(join_path_puts_one_slash_between),
        TEST(parent_path_ends_before_the_last_slash),
        TEST(absolute_path_cleans_what_it_can_without_looking),
        TEST(make_directories_makes_all_and_keeps_what_is_there),
        TEST(make_directories_refuses_a_file_in_the_way),
        TEST(read_file_returns_all_bytes_up_to_the_limit),
        TEST(replaced_files_are_whole_and_leave_no_temporary),
        TEST(a_failed_replacement_keeps_the_old_file),
        TEST(remove_tree_does_not_follow_links),
        TEST(removing_nothing_is_no_error),
        TEST(remove_tree_takes_a_file_or_a_link_too),
        TEST(temporary_names_of_dead_processes_are_removed_and_nothing_else),
        TEST(a_file_is_created_once_and_left_as_it_is),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
