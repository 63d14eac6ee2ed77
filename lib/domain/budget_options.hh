#pragma once

#include "domain/budget.hh"
#include "domain/day_budget.hh"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// How ap-budget(1) has amounts and usage told by options, and how it shows budgets.

/// The value of an option by its long name; nothing if it was not given.
using OptionValue = std::function<std::optional<std::string>(std::string_view name)>;

/// --cost-usd in micro-dollars. Throws UsageError for what is no amount.
std::optional<int64_t> cost_option(const OptionValue &value);

/// What the options say that was used: --prompt-tokens, --completion-tokens, --model,
/// --provider, --request-id, --cost-usd; nothing if none of them was given. Throws
/// UsageError for a value that is none, when neither kind of tokens is told, or when
/// `other` was given beside them, the option that tells it in another way.
std::optional<Usage> usage_options(const OptionValue &value, std::string_view other);

/// What report is to record: from those options, or else from the file of --file
/// (standard input without that).
std::vector<Usage> reported_usage(const OptionValue &value);

/// What settle puts in a reservation's place: from those options, or nothing by
/// --release. Throws UsageError for neither.
Usage settled_usage(const OptionValue &value);

/// The number of a reservation. Throws UsageError.
int64_t reservation_operand(const std::string &text);

/// --tokens and --cost-usd as caps of a run or phase, "none" for no cap in money. Throws
/// UsageError, also when neither was given.
BudgetChange cap_options(const OptionValue &value);

/// What reserve is to reserve: --tokens, --cost-usd, --purpose. Throws UsageError.
ReservationRequest reservation_options(const OptionValue &value);

/// --tokens and --cost-usd as caps of the day, "none" for no cap. Throws UsageError, also
/// when neither was given.
DayCapChange day_cap_options(const OptionValue &value);

/// A day written as 2026-11-24; today (UTC) for an empty text. Throws UsageError.
std::string day_operand(const std::string &text, const Clock &clock);

/// The tables of show and show-day: their headings and a row for a budget.
std::vector<std::string> budget_headings();
std::vector<std::string> budget_row(const std::string &name, const Budget &budget);
std::vector<std::string> day_headings();
std::vector<std::string> day_row(const DayBudget &budget);

/// "425 of 1000 tokens used, 0 reserved, $0.0000"
std::string budget_line(const Budget &budget);

} // namespace ap
