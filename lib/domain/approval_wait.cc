#include "domain/approval_wait.hh"

#include "sys/path.hh"
#include "sys/poll_loop.hh"
#include "sys/signals.hh"
#include "sys/watch.hh"

#include <algorithm>
#include <chrono>

namespace ap {

namespace {

using namespace std::chrono_literals;

// How often the database is looked into without having been woken: a change by the
// sqlite3 shell, or an end of the run, touches no file that is watched.
constexpr std::chrono::milliseconds look_interval = 1s;

} // namespace

std::optional<Approval> wait_for_approval(State &state, int64_t approval_id,
                                          const Clock &clock)
{
    const std::string directory = state.paths().run_directory(
        show_approval(state.database(), approval_id, clock).run_id);
    make_directories(directory, 0700);
    DirectoryWatch watch(directory);
    SignalFd signals({SIGTERM, SIGINT, SIGHUP});
    bool ended = false;
    PollLoop loop;
    loop.add(watch.fd(), [&] { static_cast<void>(watch.changed()); });
    loop.add(signals.fd(), [&] { ended = signals.next().has_value() || ended; });
    while (!ended) {
        const Approval approval = settle_approval(state.database(), approval_id, clock);
        if (!approval.pending()) {
            return approval;
        }
        const std::chrono::milliseconds left(approval.expires_at - clock.now());
        loop.run_once(std::clamp<std::chrono::milliseconds>(left, 0ms, look_interval));
    }
    return std::nullopt;
}

} // namespace ap
