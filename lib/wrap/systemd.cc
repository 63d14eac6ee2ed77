#include "wrap/systemd.hh"

#include "base/error.hh"

#include <cstdlib>
#include <ctime>
#include <memory>
#include <systemd/sd-daemon.h>

namespace ap {

namespace {

struct FreeNames
{
    void operator()(char **names) const noexcept
    {
        for (char **name = names; *name != nullptr; name++) {
            std::free(*name);
        }
        std::free(names);
    }
};

} // namespace

std::vector<PassedSocket> take_passed_sockets()
{
    char **raw = nullptr;
    const int count = sd_listen_fds_with_names(1, &raw);
    const std::unique_ptr<char *, FreeNames> names(raw);
    if (count < 0) {
        throw SystemError("cannot take the sockets passed by the service manager",
                          -count);
    }
    std::vector<PassedSocket> sockets;
    for (int i = 0; i < count; i++) {
        sockets.push_back({Fd(SD_LISTEN_FDS_START + i), names.get()[i]});
        set_nonblocking(sockets.back().fd.get());
    }
    return sockets;
}

void notify_manager(const std::string &state) noexcept
{
    static_cast<void>(sd_notify(0, state.c_str()));
}

void notify_reloading() noexcept
{
    timespec now{};
    static_cast<void>(clock_gettime(CLOCK_MONOTONIC, &now));
    static_cast<void>(sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
                                 now.tv_sec * 1'000'000LL + now.tv_nsec / 1000));
}

std::optional<std::chrono::milliseconds> watchdog_interval()
{
    uint64_t microseconds = 0;
    if (sd_watchdog_enabled(0, &microseconds) <= 0) {
        return std::nullopt;
    }
    return std::chrono::milliseconds(microseconds / 2000);
}

} // namespace ap
