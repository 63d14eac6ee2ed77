#include "check.hh"
#include "support.hh"

#include "base/error.hh"
#include "sys/fd.hh"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <thread>
#include <unistd.h>

using namespace ap;

namespace {

bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

void a_descriptor_is_closed_with_its_owner()
{
    int number = -1;
    {
        const Fd fd = open_file("/dev/null", O_RDONLY);
        number = fd.get();
        CHECK(is_open(number));
    }
    CHECK(!is_open(number));
}

void a_moved_descriptor_has_one_owner()
{
    Fd first = open_file("/dev/null", O_RDONLY);
    const int number = first.get();
    Fd second(std::move(first));
    CHECK_EQUAL(second.get(), number);
    Fd third = open_file("/dev/null", O_RDONLY);
    const int replaced = third.get();
    third = std::move(second);
    CHECK_EQUAL(third.get(), number);
    CHECK(!is_open(replaced));
    CHECK_EQUAL(third.release(), number);
    CHECK(!third);
    CHECK(is_open(number));
    close(number);
}

void descriptors_do_not_survive_an_exec()
{
    const Fd file = open_file("/dev/null", O_RDONLY);
    const Pipe pipe = make_pipe();
    for (const int fd : {file.get(), pipe.read.get(), pipe.write.get()}) {
        CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    }
}

void a_missing_file_is_named()
{
    CHECK_THROWS(open_file("/nonexistent/x", O_RDONLY), SystemError,
                 [](const SystemError &error) {
                     CHECK_EQUAL(error.what(), std::string("cannot open "
                                                           "'/nonexistent/x': No such "
                                                           "file or directory"));
                 });
}

void write_all_goes_on_after_short_writes()
{
    Pipe pipe = make_pipe();
    // More than a pipe holds, so that the writer must wait for the reader.
    const std::string sent(300'000, 'x');
    std::string got;
    {
        const std::jthread reader(
            [&] { got = read_all(pipe.read.get(), sent.size(), "the pipe"); });
        write_all(pipe.write.get(), sent, "the pipe");
        pipe.write.reset();
    }
    CHECK(got == sent);
}

void write_all_reports_a_closed_pipe()
{
    Pipe pipe = make_pipe();
    pipe.read.reset();
    CHECK_THROWS(
        (write_all(pipe.write.get(), "x", "the pipe"), 0), SystemError,
        [](const SystemError &error) {
            CHECK_EQUAL(error.code(), EPIPE);
            CHECK(std::string_view(error.what()).starts_with("cannot write the pipe: "));
        });
}

void read_some_tells_nothing_now_from_the_end()
{
    Pipe pipe = make_pipe();
    set_nonblocking(pipe.read.get());
    std::array<char, 8> buffer{};
    CHECK_EQUAL(read_some(pipe.read.get(), buffer.data(), buffer.size(), "pipe"), -1);
    write_all(pipe.write.get(), "abc", "pipe");
    CHECK_EQUAL(read_some(pipe.read.get(), buffer.data(), buffer.size(), "pipe"), 3);
    pipe.write.reset();
    CHECK_EQUAL(read_some(pipe.read.get(), buffer.data(), buffer.size(), "pipe"), 0);
}

void read_all_refuses_more_than_its_limit()
{
    Pipe pipe = make_pipe();
    write_all(pipe.write.get(), "abcd", "pipe");
    pipe.write.reset();
    CHECK_THROWS(read_all(pipe.read.get(), 3, "the pipe"), Error, [](const Error &error) {
        CHECK_EQUAL(error.what(), std::string("the pipe: larger than 3 bytes"));
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
    });
}

void a_bad_descriptor_is_an_error()
{
    std::array<char, 8> buffer{};
    CHECK_THROWS(read_some(-1, buffer.data(), buffer.size(), "it"), SystemError,
                 [](const SystemError &error) { CHECK_EQUAL(error.code(), EBADF); });
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_descriptor_is_closed_with_its_owner),
        TEST(a_moved_descriptor_has_one_owner),
        TEST(descriptors_do_not_survive_an_exec),
        TEST(a_missing_file_is_named),
        TEST(write_all_goes_on_after_short_writes),
        TEST(write_all_reports_a_closed_pipe),
        TEST(read_some_tells_nothing_now_from_the_end),
        TEST(read_all_refuses_more_than_its_limit),
        TEST(a_bad_descriptor_is_an_error),
    };
    static_cast<void>(signal(SIGPIPE, SIG_IGN));
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
