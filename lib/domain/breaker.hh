#pragma once

#include "base/clock.hh"
#include "wrap/json.hh"
#include "wrap/sqlite.hh"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

enum class BreakerState {
    Closed,
    Open,
    HalfOpen,
    ForcedOpen, ///< open until reset or closed by hand
    Disabled,   ///< lets everything pass and counts nothing
};

std::string_view breaker_state_name(BreakerState state);

/// When a breaker trips and how it comes back. The first four defaults are those of the
/// system this suite replaces; the others follow resilience4j's.
struct BreakerConfig
{
    int64_t failure_threshold = 5; ///< consecutive failures that open it; 0: never
    int64_t success_threshold = 2; ///< successes in half-open that close it
    int64_t open_ms = 60'000;      ///< how long it stays open the first time
    int64_t probe_ms = 30'000;     ///< a probe not reported by then is given up
    double backoff_factor = 2.0;   ///< open_ms grows by this with each reopening
    int64_t longest_open_ms = 600'000;
    int64_t half_open_probes = 1; ///< at once, over all processes
    int64_t window_calls = 0;     ///< sliding window of this many calls ...
    int64_t window_ms = 0;        ///< ... or of this length, not both; 0 and 0: none
    int64_t minimum_calls = 10;   ///< before a rate can trip it
    double failure_rate = 0.5;    ///< share of failed calls in the window that trips
    double slow_rate = 1.0;       ///< share of slow calls in the window that trips
    int64_t slow_ms = 0;          ///< a call this long is slow; 0: none is
};

struct Breaker
{
    std::string name;
    BreakerState state = BreakerState::Closed;
    std::optional<std::string> reason;
    int64_t failure_count = 0; ///< consecutive
    int64_t success_count = 0; ///< in half-open
    int64_t times_opened = 0;  ///< in a row, without having been closed
    std::optional<UnixMs> opened_at;
    std::optional<UnixMs> retry_at; ///< when a probe may pass
    int64_t probes = 0;             ///< under way
    BreakerConfig config;
};

/// What allow() says.
struct BreakerPermit
{
    bool allowed = false;
    std::optional<int64_t> probe_id{}; ///< half-open: pass it to success() or failure()
    std::optional<UnixMs>
        retry_at{}; ///< not allowed: when to ask again; none: forced open
};

/// Who holds a probe that allow() hands out.
enum class ProbeHolder {
    ThisProcess, ///< the probe is given up when this process is dead, or when it expires
    Nobody,      ///< only when it expires: the result comes from another process
};

/// What a permitted call came to.
struct BreakerResult
{
    bool failed = false;
    std::string_view reason{}; ///< why it failed
    int64_t duration_ms = 0;
    std::optional<int64_t> probe_id{};
    int64_t retry_after_ms = 0;       ///< what the service asked for
    std::optional<int64_t> slow_ms{}; ///< for this call instead of the configured one
};

/// The named circuit breakers of one database, shared by all processes. Every call that
/// changes something is one immediate transaction (or joins the caller's); every change
/// of state is an event. A name that was never used is a closed breaker with default
/// configuration and is made when something is to be recorded; Error(BadData) then if it
/// is no identifier. What a call costs does not depend on how many went before.
class Breakers
{
public:
    Breakers(Sqlite &database, const Clock &clock)
        : database_(database)
        , clock_(clock)
    {
    }

    /// All breakers by name.
    std::vector<Breaker> list();

    /// Error(NoInput) for a name never used.
    Breaker show(std::string_view name);

    /// Asks whether a call may go ahead now. An open breaker whose time is up becomes
    /// half-open here and hands out its probes. A closed breaker is only read. A probe
    /// that has expired, or whose process is dead, holds no place any more; should the
    /// result of an expired one still come while the breaker is half-open, it counts.
    BreakerPermit allow(std::string_view name,
                        ProbeHolder holder = ProbeHolder::ThisProcess);

    /// Reports a permitted call. Without its probe's id the result of a probe counts for
    /// nothing, and so does one that comes when the breaker has opened meanwhile.
    void report(std::string_view name, const BreakerResult &result);

    /// Reports a call that went well and took `duration_ms`.
    void success(std::string_view name, int64_t duration_ms = 0,
                 std::optional<int64_t> probe_id = std::nullopt);

    /// Reports a failed call. `retry_after_ms`: what the service asked for, which opens
    /// the breaker at least that long when it trips.
    void failure(std::string_view name, std::string_view reason, int64_t duration_ms = 0,
                 std::optional<int64_t> probe_id = std::nullopt,
                 int64_t retry_after_ms = 0);

    /// A permitted call that told nothing about the service (stopped by the user): gives
    /// its probe back and counts nothing.
    void cancel(std::string_view name, std::optional<int64_t> probe_id);

    void force_open(std::string_view name, std::string_view reason);

    /// Error(NoInput) for a name never used.
    void close(std::string_view name);
    void disable(std::string_view name);

    /// Back to closed with nothing counted; returns how many there were. Empty: all.
    int64_t reset(std::string_view name);

    /// Its configuration; the default for a name never used.
    BreakerConfig config(std::string_view name);

    /// Replaces the configuration; Error(BadData) naming the field out of range. A window
    /// of another kind or size starts empty.
    void configure(std::string_view name, const BreakerConfig &config);

private:
    Sqlite &database_;
    const Clock &clock_;
};

Json breaker_to_json(const Breaker &breaker);

/// The Error(BreakerOpen) for a call that was not allowed: which breaker is open, and
/// when to ask again.
Error breaker_refusal(std::string_view name, const BreakerPermit &permit,
                      const Clock &clock);

} // namespace ap
