#include "wrap/heap.hh"

#include <malloc.h>

namespace ap {

void return_freed_memory() noexcept
{
    // Setting it, to what it is at first, keeps it from growing.
    constexpr int large = 128 << 10;
    static_cast<void>(mallopt(M_MMAP_THRESHOLD, large));
}

void keep_freed_memory() noexcept
{
    constexpr int kept = 1 << 20;
    static_cast<void>(mallopt(M_TRIM_THRESHOLD, kept));
}

} // namespace ap
