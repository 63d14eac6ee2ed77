#include "domain/llm_budget.hh"

#include "base/text.hh"
#include "domain/call_estimate.hh"
#include "sys/path.hh"

#include <algorithm>
#include <cstdlib>

namespace ap {

namespace {

std::string variable(const char *name)
{
    const char *value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

} // namespace

std::optional<LlmAccount> llm_account_from_environment()
{
    LlmAccount account{variable("AUTOPACK_RUN_ID"), variable("AUTOPACK_PHASE_ID"), {}};
    if (account.run_id.empty()) {
        return std::nullopt;
    }
    if (const std::string attempt = variable("AUTOPACK_ATTEMPT"); !attempt.empty()) {
        account.attempt = parse_integer(attempt, 1, INT64_MAX);
        if (!account.attempt) {
            throw Error(ExitStatus::Config, "AUTOPACK_ATTEMPT: expected a number, got '" +
                                                printable(attempt) + "'");
        }
    }
    return account;
}

PriceList installed_prices()
{
    const std::string path = AP_DATADIR "/prices.json";
    return path_exists(path) ? PriceList::load(path) : PriceList();
}

LlmBudget::LlmBudget(Sqlite &database, LlmAccount account, const PriceList &prices,
                     const Clock &clock)
    : database_(database)
    , account_(std::move(account))
    , prices_(prices)
    , clock_(clock)
{
}

// What the budgets leave of `output` in tokens; money is found out by trying.
int64_t LlmBudget::fitting(int64_t input, int64_t output)
{
    int64_t left = show_budget(database_, account_.run_id, "").tokens_left();
    if (!account_.phase_id.empty()) {
        const Budget phase = show_budget(database_, account_.run_id, account_.phase_id);
        left = std::min(left, phase.tokens_left());
    }
    return std::min(output, left - input);
}

int64_t LlmBudget::try_to_reserve(const std::string &model, int64_t input, int64_t output)
{
    ReservationRequest request;
    request.run_id = account_.run_id;
    request.phase_id = account_.phase_id;
    request.attempt = account_.attempt;
    request.tokens = input + output;
    request.cost_microusd = facts_ == nullptr ? 0 : cost_bound(*facts_, input, output);
    request.purpose = account_.purpose;
    request.call = ReservedCall{account_.provider, model, input};
    return ap::reserve(database_, request, clock_);
}

int64_t LlmBudget::reserve(const std::string &model, int64_t input,
                           std::optional<int64_t> output)
{
    facts_ = prices_.find(model);
    const int64_t wanted = output.value_or(
        default_output(facts_ == nullptr ? std::nullopt : facts_->max_output, 0));
    const int64_t least = std::min(wanted, least_output);
    int64_t asked = std::max(fitting(input, wanted), least);
    while (true) {
        try {
            reservation_ = try_to_reserve(model, input, asked);
            return asked;
        } catch (const Error &error) {
            if (error.status() != ExitStatus::BudgetExhausted || asked <= least) {
                throw;
            }
        }
        asked = std::max(asked / 2, least);
    }
}

void LlmBudget::settle(Usage usage, int64_t cache_write_long)
{
    if (facts_ != nullptr) {
        usage.cost_microusd = cost_of(*facts_, usage, cache_write_long);
    }
    ap::settle(database_, reservation_, usage, clock_);
}

} // namespace ap
