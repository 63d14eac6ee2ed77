#include "base/clock.hh"

#include <array>
#include <cstdio>
#include <ctime>

namespace ap {

namespace {

int64_t read_clock(clockid_t id)
{
    timespec t{};
    // Both clocks exist on every Linux; the call can only fail for an unknown id.
    if (clock_gettime(id, &t) != 0) {
        return 0;
    }
    return static_cast<int64_t>(t.tv_sec) * 1000 + t.tv_nsec / 1'000'000;
}

std::string broken_down(UnixMs at, const char *format, bool local)
{
    const time_t seconds = at / 1000;
    tm parts{};
    std::array<char, 32> text{};
    if (local) {
        localtime_r(&seconds, &parts);
    } else {
        gmtime_r(&seconds, &parts);
    }
    return {text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

} // namespace

UnixMs SystemClock::now() const
{
    return read_clock(CLOCK_REALTIME);
}

std::chrono::milliseconds SystemClock::monotonic() const
{
    return std::chrono::milliseconds(read_clock(CLOCK_MONOTONIC));
}

std::string format_rfc3339(UnixMs at)
{
    std::array<char, 16> fraction{};
    const int length = std::snprintf(fraction.data(), fraction.size(), ".%03dZ",
                                     static_cast<int>(at % 1000));
    return broken_down(at, "%Y-%m-%dT%H:%M:%S", false) +
           std::string(fraction.data(), static_cast<size_t>(length));
}

std::string format_local(UnixMs at)
{
    return broken_down(at, "%Y-%m-%d %H:%M:%S", true);
}

} // namespace ap
