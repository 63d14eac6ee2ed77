#include "check.hh"
#include "support.hh"

#include "eventually.hh"
#include "sys/fifo.hh"

#include <algorithm>
#include <climits>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace ap;
using namespace std::chrono_literals;

namespace {

class Fixture
{
public:
    Fixture()
        : path(directory_.file("fifo"))
        , reader(path)
    {
    }

    void read()
    {
        reader.read_lines([&](std::string_view line) { lines.emplace_back(line); },
                          [&](std::string_view start) { overlong.emplace_back(start); });
    }

private:
    const check::TemporaryDirectory directory_;

public:
    const std::string path;
    FifoReader reader;
    std::vector<std::string> lines;
    std::vector<std::string> overlong;
};

Fd open_writer(const std::string &path)
{
    return open_file(path, O_WRONLY | O_NONBLOCK);
}

void written_lines_come_out_in_order()
{
    Fixture fifo;
    write_fifo_line(fifo.path, "one");
    write_fifo_line(fifo.path, "");
    write_fifo_line(fifo.path, "three");
    CHECK(check::becomes_readable(fifo.reader.fd(), 0ms));
    fifo.read();
    CHECK_EQUAL(fifo.lines.size(), 3u);
    CHECK_EQUAL(fifo.lines[0], "one");
    CHECK_EQUAL(fifo.lines[1], "");
    CHECK_EQUAL(fifo.lines[2], "three");
}

void an_empty_fifo_gives_nothing_at_once()
{
    Fixture fifo;
    fifo.read();
    CHECK(fifo.lines.empty());
    CHECK(!check::becomes_readable(fifo.reader.fd(), 0ms));
}

// Without the reader's own writing end, poll would report a hang-up for ever.
void a_writer_that_closes_is_no_end_of_file()
{
    Fixture fifo;
    write_fifo_line(fifo.path, "before");
    fifo.read();
    CHECK(!check::becomes_readable(fifo.reader.fd(), 0ms));
    write_fifo_line(fifo.path, "after");
    fifo.read();
    CHECK_EQUAL(fifo.lines.size(), 2u);
}

void a_line_may_come_in_pieces()
{
    Fixture fifo;
    const Fd writer = open_writer(fifo.path);
    write_all(writer.get(), "begin", "the FIFO");
    fifo.read();
    CHECK(fifo.lines.empty());
    write_all(writer.get(), "ning\nnext", "the FIFO");
    fifo.read();
    CHECK_EQUAL(fifo.lines.size(), 1u);
    CHECK_EQUAL(fifo.lines[0], "beginning");
}

// Written in pieces smaller than the pipe, read after each.
void write_and_read(Fixture &fifo, const Fd &writer, std::string_view data)
{
    while (!data.empty()) {
        write_all(writer.get(), data.substr(0, 30'000), "the FIFO");
        data.remove_prefix(std::min<size_t>(30'000, data.size()));
        fifo.read();
    }
}

void the_longest_line_is_64_kib()
{
    Fixture fifo;
    const Fd writer = open_writer(fifo.path);
    write_and_read(fifo, writer, std::string(65536, 'l') + "\n");
    CHECK(fifo.overlong.empty());
    CHECK_EQUAL(fifo.lines.size(), 1u);
    CHECK_EQUAL(fifo.lines[0].size(), 65536u);
}

// One byte more, whose newline comes in the same read, and one that never seems to end.
void a_longer_line_is_dropped_to_its_end()
{
    for (const size_t length : {size_t{65537}, size_t{300'000}}) {
        Fixture fifo;
        const Fd writer = open_writer(fifo.path);
        write_and_read(fifo, writer, std::string(length, 'l') + "\nshort\n");
        CHECK_EQUAL(fifo.overlong.size(), 1u);
        CHECK_EQUAL(fifo.overlong[0], std::string(200, 'l'));
        CHECK_EQUAL(fifo.lines.size(), 1u);
        CHECK_EQUAL(fifo.lines[0], "short");
    }
}

// A child writes without a pause while the reader reads once.
void a_flood_does_not_keep_the_reader()
{
    Fixture fifo;
    const pid_t child = fork();
    if (child == 0) {
        alarm(30);
        const int fd = open(fifo.path.c_str(), O_WRONLY | O_CLOEXEC);
        const std::string lines(65536, '\n');
        while (write(fd, lines.data(), lines.size()) > 0) {
        }
        _exit(0);
    }
    CHECK(check::becomes_readable(fifo.reader.fd()));
    fifo.read();
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); // not its alarm
}

void the_fifo_is_for_its_owner_alone()
{
    const Fixture fifo;
    struct stat status = {};
    CHECK_EQUAL(stat(fifo.path.c_str(), &status), 0);
    CHECK(S_ISFIFO(status.st_mode));
    CHECK_EQUAL(status.st_mode & 0777, 0600u);
}

void an_existing_fifo_is_used_and_left()
{
    const check::TemporaryDirectory directory;
    {
        const FifoReader first(directory.file("fifo"));
    }
    CHECK(path_exists(directory.file("fifo")));
    const FifoReader second(directory.file("fifo"));
    write_fifo_line(directory.file("fifo"), "heard");
    CHECK(check::becomes_readable(second.fd(), 0ms));
}

void something_else_in_the_way_is_refused()
{
    const check::TemporaryDirectory directory;
    write_file_atomically(directory.file("file"), "precious");
    make_directories(directory.file("directory"));
    CHECK_EQUAL(symlink("file", directory.file("link").c_str()), 0);
    for (const char *name : {"file", "directory", "link"}) {
        const std::string path = directory.file(name);
        CHECK_THROWS(FifoReader(path), Error, [&](const Error &error) {
            CHECK_EQUAL(error.status(), ExitStatus::CannotCreate);
            CHECK(std::string(error.what()).find(path) != std::string::npos);
        });
    }
    CHECK_EQUAL(read_file(directory.file("file"), 100), "precious");
}

void check_refused(const std::string &path, std::string_view line, ExitStatus status)
{
    CHECK_THROWS(write_fifo_line(path, line), Error,
                 [&](const Error &error) { CHECK_EQUAL(error.status(), status); });
}

void writing_without_a_reader_is_refused()
{
    const check::TemporaryDirectory directory;
    check_refused(directory.file("none"), "x", ExitStatus::Unavailable);
    CHECK(!path_exists(directory.file("none")));
    {
        const FifoReader gone(directory.file("fifo"));
    }
    check_refused(directory.file("fifo"), "x", ExitStatus::Unavailable);
}

void writing_to_a_file_is_refused()
{
    const check::TemporaryDirectory directory;
    write_file_atomically(directory.file("file"), "precious");
    check_refused(directory.file("file"), "x", ExitStatus::Unavailable);
    CHECK_EQUAL(read_file(directory.file("file"), 100), "precious");
}

void writing_to_a_full_fifo_is_refused_whole()
{
    Fixture fifo;
    const std::string line(999, 'f');
    size_t written = 0;
    try {
        for (; written < 10'000; written++) {
            write_fifo_line(fifo.path, line);
        }
    } catch (const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::TryAgain);
    }
    CHECK(written > 0 && written < 10'000);
    fifo.read();
    CHECK_EQUAL(fifo.lines.size(), written);
    CHECK(std::all_of(fifo.lines.begin(), fifo.lines.end(),
                      [&](const std::string &read) { return read == line; }));
}

void a_written_line_fits_pipe_buf()
{
    Fixture fifo;
    write_fifo_line(fifo.path, std::string(PIPE_BUF - 1, 'x'));
    check_refused(fifo.path, std::string(PIPE_BUF, 'x'), ExitStatus::BadData);
    check_refused(fifo.path, "two\nlines", ExitStatus::BadData);
    fifo.read();
    CHECK_EQUAL(fifo.lines.size(), 1u);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(written_lines_come_out_in_order),
        TEST(an_empty_fifo_gives_nothing_at_once),
        TEST(a_writer_that_closes_is_no_end_of_file),
        TEST(a_line_may_come_in_pieces),
        TEST(the_longest_line_is_64_kib),
        TEST(a_longer_line_is_dropped_to_its_end),
        TEST(a_flood_does_not_keep_the_reader),
        TEST(the_fifo_is_for_its_owner_alone),
        TEST(an_existing_fifo_is_used_and_left),
        TEST(something_else_in_the_way_is_refused),
        TEST(writing_without_a_reader_is_refused),
        TEST(writing_to_a_file_is_refused),
        TEST(writing_to_a_full_fifo_is_refused_whole),
        TEST(a_written_line_fits_pipe_buf),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
