#include "check.hh"
#include "support.hh"

#include "eventually.hh"
#include "sys/fifo.hh"
#include "sys/fifo_spool.hh"

#include <csignal>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace ap;

namespace {

class Fixture
{
public:
    Fixture()
        : fifo(directory_.file("fifo"))
        , file(directory_.file("spool"))
        , spool(fifo, file)
    {
    }

    LineSplitter::Handler on_line()
    {
        return [this](std::string_view line) { lines += "[" + std::string(line) + "]"; };
    }
    static LineSplitter::Handler no_overlong()
    {
        return [](std::string_view line) {
            check::fail_at(__FILE__, __LINE__, "overlong: " + std::string(line));
        };
    }
    void read() { spool.read_lines(on_line(), no_overlong()); }

    void write(std::string_view text) const
    {
        write_all(open_file(fifo, O_WRONLY | O_NONBLOCK).get(), text, "the FIFO");
    }

private:
    const check::TemporaryDirectory directory_;

public:
    const std::string fifo;
    const std::string file;
    FifoSpool spool;
    std::string lines;
};

void lines_go_through_the_file()
{
    Fixture fifo;
    fifo.read();
    CHECK(!path_exists(fifo.file));
    fifo.write("one\ntwo\n");
    CHECK(check::becomes_readable(fifo.spool.fd()));
    fifo.read();
    CHECK_EQUAL(fifo.lines, "[one][two]");
    CHECK_EQUAL(read_file(fifo.file, 100), "one\ntwo\n");
    CHECK_EQUAL(fifo.spool.read_to(), 8);
    fifo.write("three\n");
    fifo.read();
    CHECK_EQUAL(fifo.lines, "[one][two][three]");
    CHECK_EQUAL(read_file(fifo.file, 100), "one\ntwo\nthree\n");
}

void nobody_but_the_owner_may_read_the_file()
{
    Fixture fifo;
    fifo.write("one\n");
    fifo.read();
    struct stat status = {};
    CHECK_EQUAL(stat(fifo.file.c_str(), &status), 0);
    CHECK_EQUAL(status.st_mode & 0777, 0600u);
}

void an_unfinished_line_waits_for_its_end()
{
    Fixture fifo;
    fifo.write("one\ntw");
    fifo.read();
    CHECK_EQUAL(fifo.lines, "[one]");
    CHECK_EQUAL(fifo.spool.read_to(), 4);
    fifo.write("o\nthr");
    fifo.spool.finish(fifo.on_line(), Fixture::no_overlong());
    CHECK_EQUAL(fifo.lines, "[one][two][thr]");
    CHECK_EQUAL(fifo.spool.read_to(), 11);
}

void what_another_process_moved_is_read_too()
{
    Fixture fifo;
    fifo.write("mine\n");
    fifo.read();
    fifo.write("theirs\n");
    CHECK_EQUAL(move_to_spool(fifo.spool.fd(), fifo.file.c_str()), 0);
    fifo.write("mine again\n");
    fifo.read();
    CHECK_EQUAL(fifo.lines, "[mine][theirs][mine again]");
}

void a_spool_is_read_on_from_where_its_reader_had_got_to()
{
    Fixture fifo;
    fifo.write("one\ntwo\n");
    fifo.read();
    const int64_t position = fifo.spool.read_to();
    fifo.write("three\nfour without an end");
    CHECK_EQUAL(move_to_spool(fifo.spool.fd(), fifo.file.c_str()), 0);
    fifo.lines.clear();
    const int64_t end =
        read_spool(fifo.file, position, fifo.on_line(), Fixture::no_overlong());
    CHECK_EQUAL(fifo.lines, "[three][four without an end]");
    CHECK_EQUAL(end, 33);
    fifo.lines.clear();
    CHECK_EQUAL(read_spool(fifo.file, end, fifo.on_line(), Fixture::no_overlong()), end);
    CHECK_EQUAL(fifo.lines, "");
}

void no_spool_file_is_an_empty_one()
{
    Fixture fifo;
    CHECK_EQUAL(read_spool(fifo.file, 7, fifo.on_line(), Fixture::no_overlong()), 7);
    CHECK_EQUAL(fifo.lines, "");
}

void a_spool_that_cannot_be_written_leaves_the_lines_in_the_fifo()
{
    Fixture fifo;
    fifo.write("one\n");
    make_directories(fifo.file);
    CHECK_THROWS(fifo.read(), SystemError,
                 [](const SystemError &error) { CHECK_EQUAL(error.code(), EISDIR); });
    CHECK_EQUAL(rmdir(fifo.file.c_str()), 0);
    fifo.read();
    CHECK_EQUAL(fifo.lines, "[one]");
}

void a_link_in_place_of_the_spool_is_not_followed()
{
    Fixture fifo;
    fifo.write("one\n");
    CHECK_EQUAL(symlink("elsewhere", fifo.file.c_str()), 0);
    CHECK_EQUAL(move_to_spool(fifo.spool.fd(), fifo.file.c_str()), ELOOP);
}

void forgotten_lines_give_their_disk_space_back()
{
    Fixture fifo;
    const std::string line = std::string(4000, 'x') + "\n";
    const auto blocks = [&] {
        struct stat status = {};
        CHECK_EQUAL(stat(fifo.file.c_str(), &status), 0);
        return status.st_blocks;
    };
    for (int i = 0; i < 1200; i++) {
        fifo.write(line);
        fifo.read();
    }
    const auto before = blocks();
    fifo.spool.forget_before(fifo.spool.read_to());
    CHECK(blocks() < before / 2);
    fifo.lines.clear();
    fifo.write("after\n");
    fifo.read();
    CHECK_EQUAL(fifo.lines, "[after]");
}

void a_moved_fifo_is_empty_and_goes_on()
{
    Fixture fifo;
    fifo.write("one\npart of a line");
    fifo.read();
    fifo.write("old\n");
    CHECK(fifo.spool.move_to(fifo.fifo + ".moved", fifo.file + ".moved"));
    CHECK(!path_exists(fifo.fifo));
    CHECK_EQUAL(fifo.spool.read_to(), 0);
    write_fifo_line(fifo.fifo + ".moved", "new");
    fifo.read();
    CHECK_EQUAL(fifo.lines, "[one][new]");
    CHECK_EQUAL(read_file(fifo.file + ".moved", 100), "new\n");
    CHECK_EQUAL(read_file(fifo.file, 100), "one\npart of a line");
}

void a_fifo_that_was_removed_is_not_moved()
{
    Fixture fifo;
    remove_file(fifo.fifo);
    CHECK(!fifo.spool.move_to(fifo.fifo + ".moved", fifo.file + ".moved"));
    CHECK(!path_exists(fifo.fifo + ".moved"));
}

// Several processes move at once, and are killed at it; every byte must come through
// once.
void killed_movers_lose_and_repeat_nothing()
{
    constexpr int numbers = 20000;
    Fixture fifo;
    const pid_t writer = fork();
    if (writer == 0) {
        const Fd out(open(fifo.fifo.c_str(), O_WRONLY | O_CLOEXEC));
        for (int number = 0; number < numbers; number++) {
            const std::string line = std::to_string(number) + "\n";
            if (write(out.get(), line.data(), line.size()) !=
                static_cast<ssize_t>(line.size())) {
                _exit(1);
            }
        }
        _exit(0);
    }
    int status = -1;
    bool written = false;
    while (!written) {
        const pid_t mover = fork();
        if (mover == 0) {
            while (move_to_spool(fifo.spool.fd(), fifo.file.c_str()) == 0) {
            }
            _exit(1);
        }
        usleep(2000);
        kill(mover, SIGKILL);
        CHECK_EQUAL(waitpid(mover, nullptr, 0), mover);
        written = waitpid(writer, &status, WNOHANG) == writer;
    }
    CHECK_EQUAL(status, 0);
    std::string expected;
    for (int number = 0; number < numbers; number++) {
        expected += "[" + std::to_string(number) + "]";
    }
    fifo.read();
    CHECK(fifo.lines == expected);
}

void a_tail_follows_what_others_write()
{
    Fixture fifo;
    SpoolTail tail(fifo.file, 0);
    tail.read_lines(false, fifo.on_line(), Fixture::no_overlong());
    append_to_spool(fifo.file, "one\n");
    tail.read_lines(false, fifo.on_line(), Fixture::no_overlong());
    append_to_spool(fifo.file, "two\nhalf");
    tail.read_lines(false, fifo.on_line(), Fixture::no_overlong());
    CHECK_EQUAL(fifo.lines, "[one][two]");
    CHECK_EQUAL(tail.read_to(), 8);
    tail.read_lines(true, fifo.on_line(), Fixture::no_overlong());
    CHECK_EQUAL(fifo.lines, "[one][two][half]");
}

void a_tail_begins_where_it_is_told()
{
    Fixture fifo;
    append_to_spool(fifo.file, "one\ntwo\n");
    SpoolTail tail(fifo.file, 4);
    tail.read_lines(false, fifo.on_line(), Fixture::no_overlong());
    CHECK_EQUAL(fifo.lines, "[two]");
    CHECK_EQUAL(tail.read_to(), 8);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(lines_go_through_the_file),
        TEST(nobody_but_the_owner_may_read_the_file),
        TEST(an_unfinished_line_waits_for_its_end),
        TEST(what_another_process_moved_is_read_too),
        TEST(a_spool_is_read_on_from_where_its_reader_had_got_to),
        TEST(no_spool_file_is_an_empty_one),
        TEST(a_spool_that_cannot_be_written_leaves_the_lines_in_the_fifo),
        TEST(a_link_in_place_of_the_spool_is_not_followed),
        TEST(forgotten_lines_give_their_disk_space_back),
        TEST(a_moved_fifo_is_empty_and_goes_on),
        TEST(a_fifo_that_was_removed_is_not_moved),
        TEST(killed_movers_lose_and_repeat_nothing),
        TEST(a_tail_follows_what_others_write),
        TEST(a_tail_begins_where_it_is_told),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
