#include "domain/database_pieces.hh"

#include "check.hh"
#include "support.hh"

#include "base/error.hh"
#include "sys/fd.hh"
#include "wrap/sodium.hh"

#include <fcntl.h>
#include <sys/stat.h>

using namespace ap;

namespace {

Fd file_of(const check::TemporaryDirectory &directory, std::string_view name,
           const std::string &content)
{
    write_file_atomically(directory.file(name), content);
    return open_file(directory.file(name), O_RDWR);
}

ReadAt reader_of(const Fd &file)
{
    return [fd = file.get()](char *data, size_t size, int64_t offset) {
        return read_at(fd, data, size, offset, "a file");
    };
}

int64_t size_of(const Fd &file)
{
    struct stat status = {};
    CHECK_EQUAL(fstat(file.get(), &status), 0);
    return status.st_size;
}

std::string changes_between(const Fd &before, const Fd &now)
{
    const Pieces old = read_pieces(reader_of(before), size_of(before), {});
    const Pieces pieces = read_pieces(reader_of(now), size_of(now), old);
    const std::vector<int64_t> changed = changed_pieces(pieces, old);
    std::string bytes;
    write_changes(reader_of(now), size_of(now), changed,
                  [&](std::string_view data) { bytes.append(data); });
    CHECK_EQUAL(static_cast<int64_t>(bytes.size()), changes_size(size_of(now), changed));
    return bytes;
}

void expect_brought_up_to_date(const std::string &before, const std::string &now,
                               size_t most)
{
    const check::TemporaryDirectory directory;
    const Fd old = file_of(directory, "old", before);
    const Fd fresh = file_of(directory, "new", now);
    const std::string changes = changes_between(old, fresh);
    CHECK(changes.size() <= most);
    ChangesReader reader(old.get(), "x");
    for (size_t at = 0; at < changes.size(); at += 1000) {
        reader.add(std::string_view(changes).substr(at, 1000));
    }
    reader.finish();
    CHECK(read_file(directory.file("old"), 10 << 20) == now);
}

std::string text(size_t size)
{
    std::string content(size, '\0');
    for (size_t i = 0; i < size; i++) {
        content[i] = static_cast<char>(i / 4096 * 7 + i % 251);
    }
    return content;
}

void tags_every_piece()
{
    const check::TemporaryDirectory directory;
    const std::string content = text(3 * piece_size + 100);
    const Fd file = file_of(directory, "a", content);
    const Pieces pieces = read_pieces(reader_of(file), size_of(file), {});
    CHECK_EQUAL(static_cast<int64_t>(pieces.size()), pieces_length(size_of(file)));
    const std::string key = pieces.substr(8, 32);
    CHECK(pieces.substr(40, 16) == tag_of(content.substr(0, piece_size), key));
    CHECK(pieces.substr(88) == tag_of(content.substr(3 * piece_size), key));
}

void tags_the_same_in_one_go_and_in_two_threads()
{
    const check::TemporaryDirectory directory;
    const std::string content = text(37 * piece_size + 1);
    const Fd file = file_of(directory, "a", content);
    const Pieces pieces = read_pieces(reader_of(file), size_of(file), {});
    Pieces other = start_pieces(pieces);
    add_pieces(other, content);
    CHECK(other == pieces);
}

void uses_another_key_for_each_chain()
{
    CHECK(start_pieces({}) != start_pieces({}));
}

void refuses_a_base_of_another_kind()
{
    CHECK_THROWS(start_pieces(std::string(64, 'x')), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
    });
}

void brings_a_file_up_to_date_with_what_changed()
{
    const std::string before = text(40 * piece_size);
    std::string now = before;
    now[5 * piece_size + 3] ^= 1;
    expect_brought_up_to_date(before, now, piece_size + 100);
    expect_brought_up_to_date(before, before, 100);
}

void brings_it_to_another_size()
{
    const std::string longer = text(10 * piece_size + 1000);
    const std::string shorter = longer.substr(0, 4 * piece_size - 10);
    expect_brought_up_to_date(shorter, longer, 8 * piece_size);
    expect_brought_up_to_date(longer, shorter, 2 * piece_size);
    expect_brought_up_to_date(longer, "", 100);
    expect_brought_up_to_date("", shorter, 5 * piece_size);
}

void expect_refused(std::string changes)
{
    const check::TemporaryDirectory directory;
    const Fd file = file_of(directory, "a", "");
    const auto read = [&] {
        ChangesReader reader(file.get(), "x");
        reader.add(changes);
        reader.finish();
    };
    CHECK_THROWS((read(), 0), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
    });
}

void refuses_what_are_no_changes()
{
    const check::TemporaryDirectory directory;
    const std::string good = changes_between(file_of(directory, "a", ""),
                                             file_of(directory, "b", text(20000)));
    expect_refused("");
    expect_refused(good.substr(0, good.size() - 1));
    expect_refused("x" + good);
    std::string beyond = good;
    beyond[16] = 9;
    expect_refused(beyond);
    std::string negative = good;
    negative[15] = '\xff';
    expect_refused(negative);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(tags_every_piece),
        TEST(tags_the_same_in_one_go_and_in_two_threads),
        TEST(uses_another_key_for_each_chain),
        TEST(refuses_a_base_of_another_kind),
        TEST(brings_a_file_up_to_date_with_what_changed),
        TEST(brings_it_to_another_size),
        TEST(refuses_what_are_no_changes),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
