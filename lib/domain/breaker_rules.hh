#pragma once

#include "domain/breaker.hh"

#include <optional>
#include <string_view>

namespace ap {

/// The rules by which a breaker changes its state, apart from where it is kept. They read
/// and change nothing but the Breaker they are given.

/// A window holds at most this many calls, so that summing it up is bounded.
inline constexpr int64_t most_window_calls = 1024;

/// The calls in the sliding window, the one being reported included.
struct WindowSums
{
    int64_t calls = 0;
    int64_t failed = 0;
    int64_t slow = 0;
};

/// What a reported result did.
enum class BreakerChange {
    Nothing, ///< not even a count
    Counted,
    Opened,
    Closed,
};

bool keeps_window(const BreakerConfig &config);

/// How many slots the ring of the window's calls has.
int64_t window_slots(const BreakerConfig &config);

/// Whether a call that took `result.duration_ms` counts as slow.
bool is_slow(const BreakerConfig &config, const BreakerResult &result);

/// The answer to allow() as far as it does not take a probe; nothing if the breaker is
/// half-open or ought to become so.
std::optional<BreakerPermit> permit_without_probe(const Breaker &breaker, UnixMs now);

/// Whether a successful or failed call changes anything at all in this state; false means
/// that note_result() would do nothing and no window has to be kept.
bool can_change(const Breaker &breaker, const BreakerResult &result);

/// Counts a result and opens or closes the breaker as its configuration says.
/// `is_probe`: the result belongs to a probe of the present half-open period.
BreakerChange note_result(Breaker &breaker, const BreakerResult &result, bool is_probe,
                          const WindowSums &window, UnixMs now);

/// Each goes to one state from any other.
void make_closed(Breaker &breaker);
void make_open(Breaker &breaker, std::string_view reason, int64_t retry_after_ms,
               UnixMs now);
void make_half_open(Breaker &breaker);
void make_forced_open(Breaker &breaker, std::string_view reason, UnixMs now);
void make_disabled(Breaker &breaker);

} // namespace ap
