#include "wrap/zstd.hh"

#include "check.hh"

#include "wrap/archive.hh"

#include "sys/directory.hh" // behind archive.hh: g++ takes an enumerator for a shadow

#include <algorithm>
#include <functional>
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
        for (const size_t size : {size_t{0}, size_t{5}, size_t{5'000'000}}) {
            const std::string text = varied(size);
            CHECK(read_back(text, threads, 100'000) == text);
        }
    }
}

void compresses()
{
    CHECK(packed(std::string(1'000'000, 'a'), 2, 1000).size() < 10'000);
}

// The priorities of this process's threads, lowest first.
std::vector<int> priorities()
{
    std::vector<int> values;
    for (const std::string &task : names_in("/proc/self/task")) {
        values.push_back(getpriority(PRIO_PROCESS, static_cast<id_t>(std::stoi(task))));
    }
    std::sort(values.begin(), values.end(), std::greater<>());
    return values;
}

void its_threads_yield_to_others()
{
    const int own = getpriority(PRIO_PROCESS, 0);
    const int lower = std::min(own + 5, 19);
    const std::vector<int> before = priorities();
    std::string bytes;
    ZstdWriter writer([&](std::string_view data) { bytes.append(data); }, 3, 2);
    writer.write("a");
    std::vector<int> expected = {lower, lower};
    expected.insert(expected.end(), before.begin(), before.end());
    CHECK(priorities() == expected);
    writer.finish();
    CHECK_EQUAL(getpriority(PRIO_PROCESS, 0), own);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(others_read_what_it_writes),
        TEST(compresses),
        TEST(its_threads_yield_to_others),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
