#pragma once

#include "sys/fd.hh"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace ap {

/// A listening socket that the service manager made and passed on.
struct PassedSocket
{
    Fd fd;
    std::string name; ///< FileDescriptorName= of the socket unit; "unknown" without one
};

/// Takes over the sockets passed to this process (socket activation); none if it was
/// started by hand. To be asked once: the second time there are none. Throws SystemError
/// if what was passed cannot be used.
std::vector<PassedSocket> take_passed_sockets();

/// Tells the service manager "READY=1", "STOPPING=1", "RELOADING=1", "STATUS=...",
/// "WATCHDOG=1", several separated by newlines. Without one nothing happens; a manager
/// that does not listen is no error.
void notify_manager(const std::string &state) noexcept;

/// "RELOADING=1" with the time systemd asks for with it, which READY=1 must follow.
void notify_reloading() noexcept;

/// How often the manager wants "WATCHDOG=1" from this process, already halved so that it
/// comes in time; nothing if it wants none.
std::optional<std::chrono::milliseconds> watchdog_interval();

/// The names of the units in state "failed" that match `pattern` ("ap-*"), sorted by the
/// service manager. Nothing if systemd does not run this machine or cannot be asked.
std::optional<std::vector<std::string>> failed_units(const std::string &pattern);

} // namespace ap
