#include "domain/breaker_rules.hh"

#include <algorithm>
#include <cmath>

namespace ap {

namespace {

constexpr size_t longest_reason = 1000;
constexpr int64_t longest_retry_after_ms = 366 * int64_t{86'400'000};

// The reason, cut between two characters if it is very long.
std::string short_reason(std::string_view reason)
{
    if (reason.size() <= longest_reason) {
        return std::string(reason);
    }
    size_t size = longest_reason;
    while (size > 0 && (static_cast<unsigned char>(reason[size]) & 0xc0) == 0x80) {
        size--;
    }
    return std::string(reason.substr(0, size));
}

// Whether an open breaker may be tried. If its time is farther off than any wait it can
// have been given, the clock was set back since, and it counts as due.
bool is_due(const Breaker &breaker, UnixMs now)
{
    const UnixMs retry_at = breaker.retry_at.value_or(now);
    const int64_t given = retry_at - breaker.opened_at.value_or(retry_at);
    return now >= retry_at ||
           retry_at - now > std::max(given, breaker.config.longest_open_ms);
}

bool passes(int64_t part, int64_t whole, double rate)
{
    return part > 0 && static_cast<double>(part) >= rate * static_cast<double>(whole);
}

std::string share_of_window(int64_t part, const WindowSums &window, std::string_view what)
{
    return std::to_string(part) + " of the last " + std::to_string(window.calls) +
           " calls " + std::string(what);
}

// Why a closed breaker has to open now; empty if it has not.
std::string why_open(const Breaker &breaker, const BreakerResult &result,
                     const WindowSums &window)
{
    const BreakerConfig &config = breaker.config;
    if (result.failed && config.failure_threshold > 0 &&
        breaker.failure_count >= config.failure_threshold) {
        return std::to_string(breaker.failure_count) + " failures in a row";
    }
    // A window smaller than the minimum would never have enough.
    if (!keeps_window(config) ||
        window.calls < std::min(config.minimum_calls, window_slots(config))) {
        return {};
    }
    if (passes(window.failed, window.calls, config.failure_rate)) {
        return share_of_window(window.failed, window, "failed");
    }
    if (passes(window.slow, window.calls, config.slow_rate)) {
        return share_of_window(window.slow, window, "were slow");
    }
    return {};
}

std::string with_last_failure(std::string why, const BreakerResult &result)
{
    if (result.failed && !result.reason.empty()) {
        why.append("; the last: ").append(result.reason);
    }
    return why;
}

} // namespace

bool keeps_window(const BreakerConfig &config)
{
    return config.window_calls > 0 || config.window_ms > 0;
}

int64_t window_slots(const BreakerConfig &config)
{
    return config.window_calls > 0 ? std::min(config.window_calls, most_window_calls)
                                   : most_window_calls;
}

bool is_slow(const BreakerConfig &config, const BreakerResult &result)
{
    const int64_t slow_ms = result.slow_ms.value_or(config.slow_ms);
    return slow_ms > 0 && result.duration_ms >= slow_ms;
}

std::optional<BreakerPermit> permit_without_probe(const Breaker &breaker, UnixMs now)
{
    switch (breaker.state) {
    case BreakerState::Closed:
    case BreakerState::Disabled:
        return BreakerPermit{true, std::nullopt, std::nullopt};
    case BreakerState::ForcedOpen:
        return BreakerPermit{false, std::nullopt, std::nullopt};
    case BreakerState::Open:
        if (!is_due(breaker, now)) {
            return BreakerPermit{false, std::nullopt, breaker.retry_at};
        }
        break;
    case BreakerState::HalfOpen:
        break;
    }
    return std::nullopt;
}

bool can_change(const Breaker &breaker, const BreakerResult &result)
{
    if (breaker.state == BreakerState::HalfOpen) {
        return result.probe_id.has_value();
    }
    return breaker.state == BreakerState::Closed &&
           (result.failed || breaker.failure_count > 0 || keeps_window(breaker.config));
}

BreakerChange note_result(Breaker &breaker, const BreakerResult &result, bool is_probe,
                          const WindowSums &window, UnixMs now)
{
    if (!can_change(breaker, result) ||
        (breaker.state == BreakerState::HalfOpen && !is_probe)) {
        return BreakerChange::Nothing;
    }
    breaker.failure_count = result.failed ? breaker.failure_count + 1 : 0;
    if (breaker.state == BreakerState::HalfOpen) {
        if (result.failed) {
            make_open(breaker, with_last_failure("a probe failed", result),
                      result.retry_after_ms, now);
            return BreakerChange::Opened;
        }
        breaker.success_count++;
        if (breaker.success_count < breaker.config.success_threshold) {
            return BreakerChange::Counted;
        }
        make_closed(breaker);
        return BreakerChange::Closed;
    }
    const std::string why = why_open(breaker, result, window);
    if (why.empty()) {
        return BreakerChange::Counted;
    }
    make_open(breaker, with_last_failure(why, result), result.retry_after_ms, now);
    return BreakerChange::Opened;
}

void make_closed(Breaker &breaker)
{
    breaker.state = BreakerState::Closed;
    breaker.reason.reset();
    breaker.failure_count = 0;
    breaker.success_count = 0;
    breaker.times_opened = 0;
    breaker.opened_at.reset();
    breaker.retry_at.reset();
    breaker.probes = 0;
}

void make_open(Breaker &breaker, std::string_view reason, int64_t retry_after_ms,
               UnixMs now)
{
    const BreakerConfig &config = breaker.config;
    const double grown =
        static_cast<double>(config.open_ms) *
        std::pow(config.backoff_factor, static_cast<double>(breaker.times_opened));
    const auto open_ms = static_cast<int64_t>(
        std::min(grown, static_cast<double>(config.longest_open_ms)));
    breaker.state = BreakerState::Open;
    breaker.reason = short_reason(reason);
    breaker.success_count = 0;
    breaker.times_opened++;
    breaker.opened_at = now;
    breaker.retry_at =
        now + std::max(open_ms, std::min(retry_after_ms, longest_retry_after_ms));
    breaker.probes = 0;
}

void make_half_open(Breaker &breaker)
{
    breaker.state = BreakerState::HalfOpen;
    breaker.success_count = 0;
}

void make_forced_open(Breaker &breaker, std::string_view reason, UnixMs now)
{
    breaker.state = BreakerState::ForcedOpen;
    breaker.reason = short_reason(reason);
    breaker.success_count = 0;
    breaker.opened_at = now;
    breaker.retry_at.reset();
    breaker.probes = 0;
}

void make_disabled(Breaker &breaker)
{
    make_closed(breaker);
    breaker.state = BreakerState::Disabled;
}

} // namespace ap
