#include "wrap/zstd.hh"

#include "check.hh"

#include "base/error.hh"
#include "wrap/archive.hh"

#include <algorithm>
#include <sys/resource.h>
#include <vector>

using namespace ap;

namespace {

std::string packed(const std::string &text, int threads, size_t piece)
{
    std::string bytes;
    ZstdWriter writer([&](std::string_view data) { bytes.append(data); }, 3, threads);
    for (size_t at = 0; at < text.size(); at += piece) {
        writer.write(std::string_view(text).substr(at, piece));
    }
    writer.finish();
    return bytes;
}

// A tar archive of one file with `text`, compressed, and read by libarchive.
std::string read_back(const std::string &text, int threads, size_t piece)
{
    ArchiveEntry entry;
    entry.path = "a";
    entry.size = static_cast<int64_t>(text.size());
    const std::string bytes =
        packed(tar_bytes(entry, text) + std::string(1024, '\0'), threads, piece);
    size_t at = 0;
    ArchiveReader reader(
        [&] {
            const std::string_view data = std::string_view(bytes).substr(at, 10'000);
            at += data.size();
            return data;
        },
        "x");
    CHECK(reader.next());
    std::string result;
    for (std::string_view data = reader.read(); !data.empty(); data = reader.read()) {
        result.append(data);
    }
    return result;
}

std::string varied(size_t size)
{
    std::string text(size, '\0');
    uint32_t state = 1;
    for (char &byte : text) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<char>(state >> 28);
    }
    return text;
}

void others_read_what_it_writes()
{
    for (const int threads : {1, 2}) {
        for (const size_t size :
             {size_t{0}, size_t{5}, size_t{4'194'304}, size_t{15'000'000}}) {
            const std::string text = varied(size);
            CHECK(read_back(text, threads, 100'000) == text);
        }
    }
}

void compresses()
{
    CHECK(packed(std::string(1'000'000, 'a'), 2, 1000).size() < 10'000);
}

void its_threads_yield_to_others()
{
    const int own = getpriority(PRIO_PROCESS, 0);
    std::vector<int> priorities;
    ZstdWriter writer(
        [&](std::string_view) { priorities.push_back(getpriority(PRIO_PROCESS, 0)); }, 3,
        2);
    writer.write(varied(10'000'000));
    writer.finish();
    CHECK(priorities.size() >= 3);
    for (const int priority : priorities) {
        CHECK_EQUAL(priority, std::min(own + 5, 19));
    }
    CHECK_EQUAL(getpriority(PRIO_PROCESS, 0), own);
}

// Writes until that throws.
void write_on(ZstdWriter &writer)
{
    const std::string text = varied(1'000'000);
    while (true) {
        writer.write(text);
    }
}

void what_the_sink_throws_reaches_who_writes()
{
    ZstdWriter writer(
        [](std::string_view) { throw Error(ExitStatus::InputOutput, "disk full"); }, 3,
        2);
    const auto inspect = [](const Error &error) {
        CHECK_EQUAL(error.what(), std::string("disk full"));
    };
    CHECK_THROWS((write_on(writer), 0), Error, inspect);
    CHECK_THROWS((writer.finish(), 0), Error, inspect);
}

void gives_up_when_it_is_not_finished()
{
    ZstdWriter writer([](std::string_view) {}, 3, 2);
    writer.write(varied(10'000'000));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(others_read_what_it_writes),
        TEST(compresses),
        TEST(its_threads_yield_to_others),
        TEST(what_the_sink_throws_reaches_who_writes),
        TEST(gives_up_when_it_is_not_finished),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
