#pragma once

#include "domain/budget.hh"
#include "domain/budget_options.hh"
#include "domain/prices.hh"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// A call of which nobody told what it used, so that it was settled at an estimate.
struct EstimatedCall
{
    int64_t usage_id = 0;
    UnixMs at = 0; ///< when it was recorded
    std::string phase_id;
    std::optional<int64_t> attempt;
    Usage usage; ///< the estimate, and how gateway and provider call it
};

/// Those of a run that are not reconciled, in the order they were recorded. The cost is
/// that of their number, whatever else the run did. Throws Error(NoInput) without the
/// run.
void for_each_estimate(Sqlite &database, std::string_view run_id,
                       const std::function<void(const EstimatedCall &)> &each);

Json estimate_to_json(const EstimatedCall &call);

/// For the table: headings and a row.
std::vector<std::string> estimate_headings();
std::vector<std::string> estimate_row(const EstimatedCall &call);

/// What the provider says of one call.
struct ToldUsage
{
    std::string call; ///< its usage_id, or how the gateway or the provider calls it
    Usage usage;
    bool tells_cost = false; ///< else the cost follows from prices
};

/// The same of `call` from options; without one, from the file of --file (standard input
/// without that). Throws UsageError, or as told_usage_from_file().
std::vector<ToldUsage> told_usage(const std::string &call, const OptionValue &value);

/// Reads JSON lines: `call` (a number or a string), and the members of a usage record,
/// of which the tokens of input and output must be there.
/// Throws Error(BadData) "SOURCE:LINE: ...; nothing was reconciled".
std::vector<ToldUsage> told_usage_from_file(const std::string &path);

/// Puts what the provider says in the place of estimates: in one immediate transaction,
/// in the budgets of run, phase and day and in all sums, in tokens and money, all of them
/// or none. Cached input that the estimate has stays where none is told. The old figures
/// stay in usage_reconciliations and in the log. Returns how
/// many calls were corrected; one that was reconciled with the same figures before is not
/// one. Throws Error(NoInput) for a call the run does not have, Error(BadData) for one
/// that is no estimate, or was reconciled with other figures, or whose cost is neither
/// told nor follows: the estimate's was not made with `prices`.
int64_t reconcile_usage(Sqlite &database, std::string_view run_id,
                        std::span<const ToldUsage> told, const PriceList &prices,
                        const Clock &clock);

} // namespace ap
