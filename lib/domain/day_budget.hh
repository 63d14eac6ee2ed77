#pragma once

#include "base/clock.hh"
#include "wrap/json.hh"
#include "wrap/sqlite.hh"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ap {

/// What all runs together may use and have used on one calendar day (UTC). Reservations
/// still open count against the current day; usage counts on the day it is recorded.
struct DayBudget
{
    std::string day; ///< "2026-11-24"
    std::optional<int64_t> token_cap;
    std::optional<int64_t> cost_cap_microusd;
    int64_t tokens_used = 0;
    int64_t cost_used_microusd = 0;
    int64_t tokens_reserved = 0; ///< by all open reservations
    int64_t cost_reserved_microusd = 0;

    /// What can still be reserved; largest_amount without a cap.
    int64_t tokens_left() const noexcept;
    int64_t cost_left() const noexcept;
};

/// The day of an instant, in UTC: "2026-11-24".
std::string day_of(UnixMs at);

/// The budget of a day. Its cost does not grow with history.
DayBudget show_day_budget(Sqlite &database, std::string_view day);

/// What set_day_caps() changes; -1 removes a cap.
struct DayCapChange
{
    std::optional<int64_t> token_cap;
    std::optional<int64_t> cost_cap_microusd;
};

/// Sets the caps of every day from now on, today included, and logs a budget.set event.
void set_day_caps(Sqlite &database, const DayCapChange &change);

Json day_budget_to_json(const DayBudget &budget);

} // namespace ap
