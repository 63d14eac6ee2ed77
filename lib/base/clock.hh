#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ap {

/// An instant of the calendar in milliseconds since 1970-01-01T00:00:00Z, as every `*_at`
/// column of the database holds it. It may jump in either direction.
using UnixMs = int64_t;

/// Where time comes from, so that tests can set it.
class Clock
{
public:
    virtual ~Clock() = default;

    /// The calendar time; for records only.
    virtual UnixMs now() const = 0;

    /// Time that never jumps (CLOCK_MONOTONIC); for every timeout and duration inside one
    /// process.
    virtual std::chrono::milliseconds monotonic() const = 0;
};

/// The machine's clock.
class SystemClock final : public Clock
{
public:
    UnixMs now() const override;
    std::chrono::milliseconds monotonic() const override;
};

/// `at` as RFC 3339 in UTC with milliseconds: "2026-11-24T10:42:52.123Z".
std::string format_rfc3339(UnixMs at);

/// What format_rfc3339() wrote; nothing for anything else.
std::optional<UnixMs> parse_rfc3339(std::string_view text);

/// `at` in local time for tables: "2026-11-24 10:42:52".
std::string format_local(UnixMs at);

} // namespace ap
