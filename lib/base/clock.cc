#include "base/clock.hh"

#include <array>
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

// Seconds since 1970 and the milliseconds after them, which are never negative.
struct Instant
{
    time_t seconds;
    int milliseconds;
};

Instant instant_of(UnixMs at)
{
    const auto milliseconds = static_cast<int>(((at % 1000) + 1000) % 1000);
    return {(at - milliseconds) / 1000, milliseconds};
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
    const Instant instant = instant_of(at);
    tm parts{};
    gmtime_r(&instant.seconds, &parts);
    std::array<char, 32> text{};
    const size_t length =
        std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    const std::string milliseconds = std::to_string(1000 + instant.milliseconds);
    return std::string(text.data(), length) + "." + milliseconds.substr(1) + "Z";
}

std::optional<UnixMs> parse_rfc3339(std::string_view text)
{
    const std::string copy(text.substr(0, 32));
    tm parts{};
    const char *rest = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S.", &parts);
    if (rest == nullptr) {
        return std::nullopt;
    }
    int milliseconds = 0;
    for (; *rest >= '0' && *rest <= '9'; rest++) {
        milliseconds = milliseconds * 10 + (*rest - '0');
        if (milliseconds > 999) {
            return std::nullopt;
        }
    }
    const UnixMs at = static_cast<UnixMs>(timegm(&parts)) * 1000 + milliseconds;
    // strptime takes blanks, signs and days that there are not; this does not.
    return format_rfc3339(at) == text ? std::optional(at) : std::nullopt;
}

std::string format_local(UnixMs at)
{
    const time_t seconds = instant_of(at).seconds;
    tm parts{};
    localtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    return {text.data(),
            std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts)};
}

} // namespace ap
