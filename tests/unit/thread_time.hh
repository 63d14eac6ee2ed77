#pragma once

#include <chrono>
#include <ctime>

namespace check {

/// The time that a processor has spent on this thread, whatever else the machine does.
inline std::chrono::nanoseconds time_of_this_thread()
{
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

} // namespace check
