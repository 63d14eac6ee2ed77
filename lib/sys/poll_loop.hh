#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>

namespace ap {

/// Calls a handler when its descriptor is readable (or hung up). One thread.
class PollLoop
{
public:
    using Handler = std::function<void()>;

    /// Watches `fd`, which the caller keeps open until remove(fd).
    void add(int fd, Handler on_readable);
    void remove(int fd);

    /// Waits for at most `timeout` (for ever without one), then calls the handlers of all
    /// ready descriptors; a handler may add and remove descriptors, its own included.
    /// False if nothing was ready. EINTR counts as nothing ready.
    bool run_once(std::optional<std::chrono::milliseconds> timeout);

private:
    std::map<int, Handler> handlers_;
};

} // namespace ap
