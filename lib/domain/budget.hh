#pragma once

#include "base/clock.hh"
#include "wrap/json.hh"
#include "wrap/sqlite.hh"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// The state of one budget: a run's (phase_id empty) or a phase's. Tokens are prompt plus
/// completion tokens; money is in millionths of a US dollar.
struct Budget
{
    std::string run_id;
    std::string phase_id;
    int64_t token_cap = 0;
    int64_t tokens_used = 0;
    int64_t tokens_reserved = 0;
    std::optional<int64_t> cost_cap_microusd;
    int64_t cost_used_microusd = 0;
    int64_t cost_reserved_microusd = 0;
    bool warned = false;

    /// Used beyond the cap, in tokens or money. What is reserved does not count.
    bool exceeded() const noexcept;

    /// Used at least 80 % of the cap, in tokens or money.
    bool near_cap() const noexcept;

    /// Tokens that can still be reserved; 0 if none.
    int64_t tokens_left() const noexcept;

    /// Micro-dollars that can still be reserved; largest_amount without a cap.
    int64_t cost_left() const noexcept;
};

/// Tokens one LLM call used.
struct Usage
{
    std::string provider;
    std::string model;
    int64_t prompt_tokens = 0;      ///< all input, cached input included
    int64_t completion_tokens = 0;  ///< all output, reasoning included
    int64_t cached_tokens = 0;      ///< part of prompt_tokens read from a cache
    int64_t cache_write_tokens = 0; ///< part of prompt_tokens written to a cache
    int64_t reasoning_tokens = 0;   ///< part of completion_tokens
    int64_t cost_microusd = 0;
    int64_t duration_ms = 0;
    bool estimated = false;
    std::optional<std::string>
        request_id;                  ///< counted once per run, however often reported
    std::string provider_request_id; ///< of an estimate, to find what it really was
};

/// Where a usage record came from and what it belongs to.
struct UsageOrigin
{
    std::string run_id;
    std::string phase_id; ///< empty: the run alone
    std::optional<int64_t> attempt;
    std::string_view source; ///< fifo, report, stdout, settle, gateway
    std::optional<int64_t> reservation_id;
};

/// The largest number of tokens and micro-dollars one record may hold, far above any real
/// one, so that totals cannot overflow.
inline constexpr int64_t largest_amount = 1'000'000'000'000;

/// Reads one usage record. Members: provider, model, prompt_tokens (or input_tokens),
/// completion_tokens (or output_tokens), cached_tokens, cache_write_tokens,
/// reasoning_tokens, cost_usd (a number) or cost_microusd, duration_ms, estimated,
/// request_id. At least one of the two token counts is needed; null is as good as
/// missing; other members are ignored. Throws Error(BadData) naming the member for a
/// wrong type or range.
Usage usage_from_json(const Json &record);

/// The reverse: what usage_from_json() reads the same usage from.
Json usage_to_json(const Usage &usage);

/// Reads usage records, one JSON object a line, blank lines allowed. Throws
/// Error(BadData) "SOURCE:LINE: ..." for the first that is none.
std::vector<Usage> usage_from_lines(std::string_view lines, std::string_view source);

/// The same from the file at `path` ("-": standard input) of at most 64 MiB; says that
/// nothing was recorded.
std::vector<Usage> usage_from_file(const std::string &path);

/// Dollars such as "0.25" as millionths, up to largest_amount; nothing for anything else.
std::optional<int64_t> parse_usd(std::string_view amount);

/// Millionths of a dollar for people: "$1.2345", rounded down.
std::string format_usd(int64_t microusd);

/// Records usage and adds it to the totals; false if its request_id was recorded before.
/// Joins the caller's transaction or makes one. Throws Error(NoInput) if the run or phase
/// does not exist.
bool record_usage(Sqlite &database, const UsageOrigin &origin, const Usage &usage,
                  const Clock &clock);

/// Who adds an inserted row to the totals.
enum class UsageTotals {
    ByTrigger,
    ByCaller, ///< in the same transaction; see UsageBatch
};

/// The name of the phase ('' for the run alone) that usage is charged to. Throws
/// Error(NoInput) if the run or phase does not exist.
std::string charged_phase_name(Sqlite &database, std::string_view run_id,
                               std::string_view phase_id);

/// The row alone, as of `at`, in the caller's transaction, for a run and phase that
/// exist; false if its request_id was recorded before.
bool insert_usage(Sqlite &database, const UsageOrigin &origin,
                  std::string_view phase_name, const Usage &usage, UnixMs at,
                  UsageTotals totals);

/// The budget of a run (phase_id empty) or phase; Error(NoInput) if there is none. Two
/// key look-ups, whatever the history.
Budget show_budget(Sqlite &database, std::string_view run_id, std::string_view phase_id);

/// The run's budget and then those of its phases in the plan's order, or only that of the
/// phase if one is named.
std::vector<Budget> list_budgets(Sqlite &database, std::string_view run_id,
                                 std::string_view phase_id = {});

Json budget_to_json(const Budget &budget);

/// What set_budget() changes.
struct BudgetChange
{
    std::optional<int64_t> token_cap;
    std::optional<int64_t> cost_cap_microusd; ///< -1 removes the cap
};

/// Sets caps and logs a budget.set event. A raised cap may warn again at 80 %.
void set_budget(Sqlite &database, std::string_view run_id, std::string_view phase_id,
                const BudgetChange &change);

/// A call that this process makes with what it reserves: its holder, so that others can
/// settle the call at an estimate if the process is killed (left_reservations.hh).
struct ReservedCall
{
    std::string provider;
    std::string model;
    int64_t input_tokens = 0; ///< of the reserved ones; the others are for the answer
};

/// What is to be reserved.
struct ReservationRequest
{
    std::string run_id;
    std::string phase_id; ///< empty: against the run alone
    std::optional<int64_t> attempt;
    int64_t tokens = 0;
    int64_t cost_microusd = 0;
    std::string purpose;
    std::optional<ReservedCall> call{}; ///< nothing: whoever has its number settles it
};

/// Reserves against the run, the phase and the day at once, in one immediate transaction:
/// used plus reserved never passes a cap because of it. Returns the reservation's id.
/// Throws Error(BudgetExhausted) that says which budget has how much left. The
/// reservation counts until it is settled, whatever becomes of the process; a call of a
/// dead one is settled for it.
int64_t reserve(Sqlite &database, const ReservationRequest &request, const Clock &clock);

/// Replaces an open reservation by what was really used (which may be more or less, or
/// nothing: releases it). Throws Error(NoInput) for an unknown one, Error(BadData) for
/// one already settled.
void settle(Sqlite &database, int64_t reservation_id, const Usage &usage,
            const Clock &clock);

/// Marks budgets of the run that came to 80 % and were not warned about, logs a
/// budget.warning event for each, and returns them. Joins the caller's transaction or
/// makes one.
std::vector<Budget> take_warnings(Sqlite &database, std::string_view run_id,
                                  std::string_view phase_id, const Clock &clock);

} // namespace ap
