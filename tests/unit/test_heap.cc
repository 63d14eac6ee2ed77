#include "wrap/heap.hh"

#include "check.hh"

#include <cstdio>
#include <fstream>
#include <string>
#include <sys/resource.h>
#include <vector>

using namespace ap;

namespace {

// Pages of this process that are in memory.
long resident()
{
    std::ifstream file("/proc/self/statm");
    long total = 0;
    long pages = 0;
    file >> total >> pages;
    return pages;
}

void use_and_free(size_t size)
{
    const std::string block(size, 'x');
    CHECK_EQUAL(block.back(), 'x');
}

void a_large_block_goes_back_the_second_time_too()
{
    return_freed_memory();
    use_and_free(size_t{16} << 20);
    const long before = resident();
    use_and_free(size_t{15} << 20);
    const long half_of_it = 2000;
    CHECK(resident() < before + half_of_it);
}

long page_faults()
{
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

void what_is_needed_by_turns_is_kept()
{
    keep_freed_memory();
    const auto take_and_give_back = [] {
        const std::vector<std::string> blocks(500, std::string(1000, 'x'));
        CHECK_EQUAL(blocks.back().size(), size_t{1000});
    };
    take_and_give_back();
    const long before = page_faults();
    constexpr int rounds = 20;
    for (int i = 0; i < rounds; i++) {
        take_and_give_back();
    }
    CHECK(page_faults() < before + rounds);
}

} // namespace

int main()
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    std::puts("1..0 # SKIP a sanitizer's allocator is not the C library's");
    return 0;
#endif
    const CMUnitTest tests[] = {
        TEST(a_large_block_goes_back_the_second_time_too),
        TEST(what_is_needed_by_turns_is_kept),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
