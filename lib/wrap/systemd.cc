#include "wrap/systemd.hh"

#include "base/error.hh"

#include <cstdlib>
#include <ctime>
#include <memory>
#include <systemd/sd-bus.h>
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

struct CloseBus
{
    void operator()(sd_bus *bus) const noexcept { sd_bus_flush_close_unref(bus); }
};

struct FreeMessage
{
    void operator()(sd_bus_message *message) const noexcept
    {
        sd_bus_message_unref(message);
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

std::optional<std::vector<std::string>> failed_units(const std::string &pattern)
{
    sd_bus *raw = nullptr;
    if (sd_booted() <= 0 || sd_bus_open_system(&raw) < 0) {
        return std::nullopt;
    }
    const std::unique_ptr<sd_bus, CloseBus> bus(raw);
    sd_bus_message *raw_reply = nullptr;
    if (sd_bus_call_method(
            bus.get(), "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
            "org.freedesktop.systemd1.Manager", "ListUnitsByPatterns", nullptr,
            &raw_reply, "asas", 1, "failed", 1, pattern.c_str()) < 0) {
        return std::nullopt;
    }
    const std::unique_ptr<sd_bus_message, FreeMessage> reply(raw_reply);
    std::vector<std::string> names;
    if (sd_bus_message_enter_container(reply.get(), 'a', "(ssssssouso)") < 0) {
        return std::nullopt;
    }
    while (sd_bus_message_enter_container(reply.get(), 'r', "ssssssouso") > 0) {
        const char *name = nullptr;
        if (sd_bus_message_read(reply.get(), "s", &name) < 0 ||
            sd_bus_message_skip(reply.get(), "sssssouso") < 0 ||
            sd_bus_message_exit_container(reply.get()) < 0) {
            return std::nullopt;
        }
        names.emplace_back(name);
    }
    return names;
}

} // namespace ap
