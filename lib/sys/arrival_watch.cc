#include "sys/arrival_watch.hh"

#include <algorithm>
#include <sys/socket.h>
#include <utility>

namespace ap {

namespace {

using namespace std::chrono_literals;

bool has_unread_bytes(int socket)
{
    char byte = 0;
    return recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

} // namespace

void ArrivalWatch::opened(uint64_t id, int socket, Instant now)
{
    arrivals_[id] = {socket, now};
}

void ArrivalWatch::closed(uint64_t id)
{
    arrivals_.erase(id);
}

void ArrivalWatch::expect(uint64_t id, Instant now)
{
    if (const auto found = arrivals_.find(id); found != arrivals_.end()) {
        found->second.since = now;
        found->second.looked_at = false;
    }
}

void ArrivalWatch::arrived(uint64_t id)
{
    if (const auto found = arrivals_.find(id); found != arrivals_.end()) {
        found->second.since.reset();
        found->second.looked_at = false;
    }
}

void ArrivalWatch::half_closed(uint64_t id)
{
    const auto found = arrivals_.find(id);
    if (found != arrivals_.end() && !found->second.is_cut) {
        half_closed_.push_back(id);
    }
}

// Once: a socket that is shut down hangs up, and each time tells so again. Fails only for
// a connection that is gone, which is what is wanted.
void ArrivalWatch::shut_down(Arrival &arrival)
{
    if (!std::exchange(arrival.is_cut, true)) {
        static_cast<void>(shutdown(arrival.socket, SHUT_RDWR));
    }
}

bool ArrivalWatch::cut(Instant now)
{
    if (deadline_ > 0ms && now - scanned_ >= interval()) {
        scanned_ = now;
        cut_overdue(now);
    }
    return cut_half_closed();
}

// What is left in the reader's own buffer is dealt with in one more round of it; a second
// look that finds the connection still waiting means that nothing comes of it.
bool ArrivalWatch::cut_half_closed()
{
    bool again = false;
    std::erase_if(half_closed_, [&](uint64_t id) {
        const auto found = arrivals_.find(id);
        if (found == arrivals_.end()) {
            return true;
        }
        Arrival &arrival = found->second;
        if (!arrival.since || has_unread_bytes(arrival.socket)) {
            return false;
        }
        if (!arrival.looked_at) {
            arrival.looked_at = again = true;
            return false;
        }
        shut_down(arrival);
        return true;
    });
    return again;
}

void ArrivalWatch::cut_overdue(Instant now)
{
    for (auto &[id, arrival] : arrivals_) {
        if (arrival.since && now - *arrival.since >= deadline_) {
            shut_down(arrival);
        }
    }
}

ArrivalWatch::Milliseconds ArrivalWatch::interval() const
{
    return std::clamp<Milliseconds>(deadline_ / 4, 1ms, 1000ms);
}

std::optional<ArrivalWatch::Milliseconds> ArrivalWatch::due_in(Instant now) const
{
    if (deadline_ <= 0ms || arrivals_.empty()) {
        return std::nullopt;
    }
    return std::max(0ms, std::chrono::ceil<Milliseconds>(scanned_ + interval() - now));
}

} // namespace ap
