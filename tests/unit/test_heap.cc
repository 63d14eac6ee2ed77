#include "wrap/heap.hh"

#include "check.hh"

#include <fstream>
#include <string>

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
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); // its allocator is not the C library's
#endif
    return_freed_memory();
    use_and_free(size_t{16} << 20);
    const long before = resident();
    use_and_free(size_t{15} << 20);
    const long half_of_it = 2000;
    CHECK(resident() < before + half_of_it);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_large_block_goes_back_the_second_time_too),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
