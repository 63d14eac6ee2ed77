#include "domain/database_pieces.hh"

#include "check.hh"
#include "support.hh"

#include "base/error.hh"
#include "sys/fd.hh"

#include <fcntl.h>

using namespace ap;

namespace {

Fd file_of(const check::TemporaryDirectory &directory, std::string_view name,
           const std::string &content)
{
    write_file_atomically(directory.file(name), content);
    return open_file(directory.file(name), O_RDWR);
}

std::string changes_between(const Fd &before, const Fd &now)
{
    const DatabasePieces pieces = read_pieces(now.get(), "now");
    const std::vector<int64_t> changed =
        changed_pieces(pieces, read_pieces(before.get(), "before").hashes);
    std::string bytes;
    write_changes(
        now.get(), pieces, changed, [&](std::string_view data) { bytes.append(data); },
        "now");
    CHECK_EQUAL(static_cast<int64_t>(bytes.size()), changes_size(pieces, changed));
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

void hashes_the_whole_and_its_pieces()
{
    const check::TemporaryDirectory directory;
    const std::string content = text(3 * piece_size + 100);
    const Fd file = file_of(directory, "a", content);
    const DatabasePieces pieces = read_pieces(file.get(), "a");
    CHECK_EQUAL(pieces.size, 3 * piece_size + 100);
    CHECK(pieces.hash == sha256(content));
    CHECK_EQUAL(pieces.hashes.size(), 4U * 16);
    const Sha256 last = sha256(content.substr(3 * piece_size));
    CHECK(pieces.hashes.substr(48) == std::string(last.begin(), last.begin() + 16));
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
        TEST(hashes_the_whole_and_its_pieces),
        TEST(brings_a_file_up_to_date_with_what_changed),
        TEST(brings_it_to_another_size),
        TEST(refuses_what_are_no_changes),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
