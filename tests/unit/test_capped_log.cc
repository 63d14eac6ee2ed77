#include "check.hh"
#include "support.hh"

#include "sys/capped_log.hh"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace ap;

namespace {

constexpr int64_t limit = 65536;
constexpr size_t head_size = limit / 4;
constexpr size_t tail_size = limit / 2;
constexpr std::string_view marker_start = "\n[... ";
constexpr std::string_view marker_end = " bytes dropped ...]\n";

// Text of which every place can be told from its neighbours: numbered lines of 16 bytes.
class NumberedText
{
public:
    static constexpr size_t line_size = 16;

    std::string next(size_t lines)
    {
        std::string text;
        text.reserve(lines * line_size);
        for (size_t i = 0; i < lines; i++) {
            const std::string digits = std::to_string(number_++);
            text.append(line_size - 1 - digits.size(), '0');
            text += digits + "\n";
        }
        return text;
    }

    // What was said from byte `from` on, `size` bytes of it.
    static std::string at(size_t from, size_t size)
    {
        NumberedText text;
        text.number_ = from / line_size;
        return text.next(size / line_size + 2).substr(from % line_size, size);
    }

private:
    size_t number_ = 0;
};

// What the file holds, taken apart at its marker.
struct Content
{
    std::string head;
    size_t dropped = 0;
    std::string tail;
    size_t marker_size = 0;
};

Content content_of(const std::string &path)
{
    const std::string text = read_file(path, 1 << 30);
    const size_t start = text.find(marker_start);
    if (start == std::string::npos) {
        return {text, 0, "", 0};
    }
    const size_t end = text.find(marker_end, start);
    CHECK(end != std::string::npos);
    const size_t digits = start + marker_start.size();
    const size_t after = end + marker_end.size();
    CHECK(text.find(marker_start, after) == std::string::npos);
    return {text.substr(0, start), std::stoul(text.substr(digits, end - digits)),
            text.substr(after), after - start};
}

// Head exact, tail exact and long enough, the number of bytes between right, size in
// bounds, after `total` bytes of NumberedText.
void check_holds(const std::string &path, size_t total)
{
    const Content content = content_of(path);
    CHECK_EQUAL(content.head.size(), head_size);
    CHECK(content.head == NumberedText::at(0, head_size));
    CHECK(content.tail.size() >= tail_size);
    CHECK(content.tail ==
          NumberedText::at(total - content.tail.size(), content.tail.size()));
    CHECK_EQUAL(content.head.size() + content.dropped + content.tail.size(), total);
    CHECK(content.head.size() + content.marker_size + content.tail.size() <= limit);
}

void a_small_log_is_kept_whole()
{
    const check::TemporaryDirectory directory;
    CappedLog log(directory.file("log"), limit);
    log.append("one\n");
    log.append("");
    log.append("two\n");
    CHECK_EQUAL(read_file(directory.file("log"), 100), "one\ntwo\n");
    CHECK_EQUAL(log.total(), 8);
}

void a_log_of_just_the_limit_is_kept_whole()
{
    const check::TemporaryDirectory directory;
    CappedLog log(directory.file("log"), limit);
    const std::string text = NumberedText().next(limit / NumberedText::line_size);
    log.append(text);
    CHECK(read_file(directory.file("log"), 1 << 20) == text);
    log.append(NumberedText::at(limit, 1));
    check_holds(directory.file("log"), limit + 1);
}

void fifty_mebibytes_keep_head_and_tail()
{
    const check::TemporaryDirectory directory;
    CappedLog log(directory.file("log"), limit);
    constexpr size_t volume = 50 << 20;
    NumberedText text;
    size_t total = 0;
    // Pieces of 16 bytes to 16 KiB, so that the limit is met at all kinds of offsets.
    for (size_t lines = 1; total < volume; lines = lines * 7 % 1021 + 1) {
        const std::string piece = text.next(lines);
        log.append(piece);
        total += piece.size();
        struct stat status = {};
        CHECK_EQUAL(stat(directory.file("log").c_str(), &status), 0);
        CHECK(status.st_size <= limit);
    }
    check_holds(directory.file("log"), total);
    CHECK_EQUAL(log.total(), static_cast<int64_t>(total));
}

void one_piece_larger_than_the_limit_keeps_head_and_tail()
{
    const check::TemporaryDirectory directory;
    CappedLog log(directory.file("log"), limit);
    const std::string text = NumberedText().next(100'000);
    log.append(text);
    check_holds(directory.file("log"), text.size());
}

void a_reopened_log_goes_on_counting()
{
    const check::TemporaryDirectory directory;
    NumberedText text;
    size_t total = 0;
    // First within the limit, then past it, then past it many times more.
    for (const size_t lines : {2000, 5000, 1, 30'000}) {
        CappedLog log(directory.file("log"), limit);
        const std::string piece = text.next(lines);
        log.append(piece);
        total += piece.size();
        CHECK_EQUAL(log.total(), static_cast<int64_t>(piece.size()));
    }
    check_holds(directory.file("log"), total);
}

void the_marker_has_one_width()
{
    const check::TemporaryDirectory directory;
    CappedLog log(directory.file("log"), limit);
    NumberedText text;
    log.append(text.next(limit / NumberedText::line_size + 1));
    const Content few = content_of(directory.file("log"));
    log.append(text.next(500'000));
    const Content many = content_of(directory.file("log"));
    CHECK(std::to_string(few.dropped).size() < std::to_string(many.dropped).size());
    CHECK_EQUAL(few.marker_size, many.marker_size);
}

void the_file_keeps_its_inode()
{
    const check::TemporaryDirectory directory;
    CappedLog log(directory.file("log"), limit);
    struct stat before = {};
    struct stat after = {};
    CHECK_EQUAL(stat(directory.file("log").c_str(), &before), 0);
    log.append(std::string(10 * limit, 'x'));
    CHECK_EQUAL(stat(directory.file("log").c_str(), &after), 0);
    CHECK_EQUAL(before.st_ino, after.st_ino);
}

void the_limit_has_a_least_value()
{
    const check::TemporaryDirectory directory;
    CappedLog log(directory.file("log"), 1);
    log.append(std::string(CappedLog::smallest_limit, 'x'));
    CHECK_EQUAL(read_file(directory.file("log"), 1 << 20).size(),
                static_cast<size_t>(CappedLog::smallest_limit));
    log.append(std::string(100'000, 'y'));
    CHECK(read_file(directory.file("log"), 1 << 20).size() <=
          static_cast<size_t>(CappedLog::smallest_limit));
}

void a_log_longer_than_the_new_limit_is_shortened()
{
    const check::TemporaryDirectory directory;
    const std::string text = NumberedText().next(100'000);
    write_file_atomically(directory.file("log"), text);
    CappedLog log(directory.file("log"), limit);
    log.append(NumberedText::at(text.size(), 16));
    check_holds(directory.file("log"), text.size() + 16);
}

void a_link_is_not_followed()
{
    const check::TemporaryDirectory directory;
    write_file_atomically(directory.file("precious"), "precious");
    CHECK_EQUAL(symlink("precious", directory.file("log").c_str()), 0);
    CHECK_THROWS(CappedLog(directory.file("log"), limit), SystemError,
                 [](const SystemError &error) { CHECK_EQUAL(error.code(), ELOOP); });
}

void a_full_disk_is_told()
{
    CappedLog log("/dev/full", limit);
    CHECK_THROWS(log.append("x"), SystemError,
                 [](const SystemError &error) { CHECK_EQUAL(error.code(), ENOSPC); });
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_small_log_is_kept_whole),
        TEST(a_log_of_just_the_limit_is_kept_whole),
        TEST(fifty_mebibytes_keep_head_and_tail),
        TEST(one_piece_larger_than_the_limit_keeps_head_and_tail),
        TEST(a_reopened_log_goes_on_counting),
        TEST(the_marker_has_one_width),
        TEST(the_file_keeps_its_inode),
        TEST(the_limit_has_a_least_value),
        TEST(a_log_longer_than_the_new_limit_is_shortened),
        TEST(a_link_is_not_followed),
        TEST(a_full_disk_is_told),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
