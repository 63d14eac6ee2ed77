#pragma once

#include "domain/budget.hh"
#include "domain/prices.hh"

#include <optional>
#include <string>

namespace ap {

/// Whose budget a call is charged to.
struct LlmAccount
{
    std::string run_id;
    std::string phase_id; ///< empty: the run alone
    std::optional<int64_t> attempt;
    std::string purpose = "ap-llm"; ///< named by what is reserved
    std::string provider{};         ///< who is called
};

/// The account that AUTOPACK_RUN_ID, AUTOPACK_PHASE_ID and AUTOPACK_ATTEMPT name, as a
/// phase's command finds them; nothing without a run. Throws Error(Config) for an attempt
/// that is no number.
std::optional<LlmAccount> llm_account_from_environment();

/// The price list installed with the suite; an empty one if there is none.
PriceList installed_prices();

/// An answer shorter than this is not worth asking for.
inline constexpr int64_t least_output = 256;

/// One call's place in a budget that nobody else keeps: what it may use is reserved
/// before it is made and replaced by what it did use. The reservation outlives this
/// object unless it is settled; if the process is killed, whoever ends its attempt
/// settles it at all that was reserved.
class LlmBudget
{
public:
    LlmBudget(Sqlite &database, LlmAccount account, const PriceList &prices,
              const Clock &clock);

    /// Reserves `input` tokens and an answer of `output` from `model` (none: as long as
    /// the model gives), or as much of the answer as the budgets leave, if that is at
    /// least `least_output` or all that was asked for. Returns the tokens the answer may
    /// have. Throws Error(BudgetExhausted) if too little is left.
    int64_t reserve(const std::string &model, int64_t input,
                    std::optional<int64_t> output);

    /// Replaces the reservation by what was used, and adds what that costs.
    /// `cache_write_long` as for cost_of().
    void settle(Usage usage, int64_t cache_write_long);

private:
    int64_t fitting(int64_t input, int64_t output);
    int64_t try_to_reserve(const std::string &model, int64_t input, int64_t output);

    Sqlite &database_;
    LlmAccount account_;
    const PriceList &prices_;
    const Clock &clock_;
    const ModelFacts *facts_ = nullptr; ///< null: the prices are unknown
    int64_t reservation_ = 0;
};

} // namespace ap
