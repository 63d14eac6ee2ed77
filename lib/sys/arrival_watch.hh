#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace ap {

/// Cuts connections of a server that no request comes from any more: those that take too
/// long to send one (a client that drips bytes is never idle), and those that the client
/// has closed for sending while nothing is under way. A library that reads
/// edge-triggered misses the end of the stream if it came together with the last bytes.
///
/// Cut means shut down: whoever reads the socket is woken and finds its end. One thread.
class ArrivalWatch
{
public:
    using Milliseconds = std::chrono::milliseconds;
    using Instant = std::chrono::steady_clock::time_point;

    /// `deadline`: for a whole request, from the end of the one before; 0: none.
    explicit ArrivalWatch(Milliseconds deadline)
        : deadline_(deadline)
    {
    }

    /// A connection that waits for a request. `socket` stays open until closed().
    void opened(uint64_t id, int socket) { opened(id, socket, now()); }
    void opened(uint64_t id, int socket, Instant now);
    void closed(uint64_t id);

    /// It waits for a request, or for more of one, from now on.
    void expect(uint64_t id) { expect(id, now()); }
    void expect(uint64_t id, Instant now);

    /// All of its request has come.
    void arrived(uint64_t id);

    /// The client sends no more; what it has sent may still be unread.
    void half_closed(uint64_t id);

    /// Cuts what is due. Call when everything that can be read has been. True if it is to
    /// be called again soon.
    bool cut() { return cut(now()); }
    bool cut(Instant now);

    /// cut() is due after this; nothing while there is no connection or no deadline.
    std::optional<Milliseconds> due_in() const { return due_in(now()); }
    std::optional<Milliseconds> due_in(Instant now) const;

private:
    struct Arrival
    {
        int socket = -1;
        std::optional<Instant> since{}; ///< nothing: not waiting
        bool looked_at = false;         ///< by cut(), half-closed and waiting
        bool is_cut = false;
    };

    // The time is asked for with each step of a connection, and of no use without a
    // deadline.
    Instant now() const
    {
        return deadline_ > Milliseconds(0) ? std::chrono::steady_clock::now() : Instant();
    }

    static void shut_down(Arrival &arrival);
    bool cut_half_closed();
    void cut_overdue(Instant now);
    Milliseconds interval() const;

    Milliseconds deadline_;
    Instant scanned_{};
    std::unordered_map<uint64_t, Arrival> arrivals_;
    std::vector<uint64_t> half_closed_;
};

} // namespace ap
