#include "domain/budget_options.hh"

#include "base/error.hh"
#include "base/text.hh"

#include <algorithm>
#include <array>
#include <chrono>

namespace ap {

namespace {

constexpr std::array<std::string_view, 6> usage_names = {
    "prompt-tokens", "completion-tokens", "model", "provider", "request-id", "cost-usd"};

std::optional<int64_t> token_option(const OptionValue &value, std::string_view name)
{
    const auto text = value(name);
    const auto tokens = text ? parse_integer(*text, 0, largest_amount) : std::nullopt;
    if (text && !tokens) {
        throw UsageError(
            "--" + std::string(name) + ": expected a whole number from 0 to " +
            std::to_string(largest_amount) + ", got '" + printable(*text) + "'");
    }
    return tokens;
}

std::string percent(int64_t used, int64_t cap)
{
    return cap == 0 ? "-" : std::to_string(used * 100 / cap) + "%";
}

} // namespace

std::optional<int64_t> cost_option(const OptionValue &value)
{
    const auto text = value("cost-usd");
    const auto amount = text ? parse_usd(*text) : std::nullopt;
    if (text && !amount) {
        throw UsageError("--cost-usd: expected a number of dollars up to 1000000, got '" +
                         printable(*text) + "'");
    }
    return amount;
}

std::optional<Usage> usage_options(const OptionValue &value, std::string_view other)
{
    const bool any = std::any_of(usage_names.begin(), usage_names.end(),
                                 [&](auto name) { return value(name).has_value(); });
    if (!any) {
        return std::nullopt;
    }
    if (value(other)) {
        throw UsageError("either --" + std::string(other) + " or what was used");
    }
    if (!value("prompt-tokens") && !value("completion-tokens")) {
        throw UsageError("--prompt-tokens or --completion-tokens is needed");
    }
    Usage usage;
    usage.prompt_tokens = token_option(value, "prompt-tokens").value_or(0);
    usage.completion_tokens = token_option(value, "completion-tokens").value_or(0);
    usage.model = value("model").value_or("");
    usage.provider = value("provider").value_or("");
    usage.request_id = value("request-id");
    usage.cost_microusd = cost_option(value).value_or(0);
    return usage;
}

std::vector<Usage> reported_usage(const OptionValue &value)
{
    const auto usage = usage_options(value, "file");
    return usage ? std::vector{*usage} : usage_from_file(value("file").value_or("-"));
}

Usage settled_usage(const OptionValue &value)
{
    const auto usage = usage_options(value, "release");
    if (!usage && !value("release")) {
        throw UsageError("settle: say what was used, or --release");
    }
    return usage.value_or(Usage{});
}

int64_t reservation_operand(const std::string &text)
{
    const auto id = parse_integer(text, 1, INT64_MAX);
    if (!id) {
        throw UsageError("settle: expected the number of a reservation, got '" +
                         printable(text) + "'");
    }
    return *id;
}

BudgetChange cap_options(const OptionValue &value)
{
    BudgetChange change;
    change.token_cap = token_option(value, "tokens");
    change.cost_cap_microusd = value("cost-usd") == "none" ? -1 : cost_option(value);
    if (!change.token_cap && !change.cost_cap_microusd) {
        throw UsageError("set: --tokens or --cost-usd is needed");
    }
    return change;
}

ReservationRequest reservation_options(const OptionValue &value)
{
    ReservationRequest request;
    request.tokens = token_option(value, "tokens").value_or(0);
    request.cost_microusd = cost_option(value).value_or(0);
    request.purpose = value("purpose").value_or("");
    if (request.tokens == 0 && request.cost_microusd == 0) {
        throw UsageError("reserve: --tokens or --cost-usd is needed");
    }
    return request;
}

DayCapChange day_cap_options(const OptionValue &value)
{
    constexpr int64_t no_cap = -1;
    DayCapChange change;
    change.token_cap = value("tokens") == "none" ? no_cap : token_option(value, "tokens");
    change.cost_cap_microusd = value("cost-usd") == "none" ? no_cap : cost_option(value);
    if (!change.token_cap && !change.cost_cap_microusd) {
        throw UsageError("set-day: --tokens or --cost-usd is needed");
    }
    return change;
}

std::string day_operand(const std::string &text, const Clock &clock)
{
    if (text.empty()) {
        return day_of(clock.now());
    }
    const bool shaped = text.size() == 10 && text[4] == '-' && text[7] == '-' &&
                        std::count_if(text.begin(), text.end(), [](char letter) {
                            return letter >= '0' && letter <= '9';
                        }) == 8;
    const auto number = [&](size_t at, size_t length) {
        return parse_integer(text.substr(at, length), 0, 9999).value_or(0);
    };
    const bool is_day =
        shaped && std::chrono::year_month_day(
                      std::chrono::year(static_cast<int>(number(0, 4))),
                      std::chrono::month(static_cast<unsigned>(number(5, 2))),
                      std::chrono::day(static_cast<unsigned>(number(8, 2))))
                      .ok();
    if (!is_day) {
        throw UsageError("expected a day such as " + day_of(clock.now()) + ", got '" +
                         printable(text) + "'");
    }
    return text;
}

std::vector<std::string> budget_headings()
{
    return {"BUDGET", "CAP", "USED", "RESERVED", "LEFT", "USE", "COST"};
}

std::vector<std::string> budget_row(const std::string &name, const Budget &budget)
{
    return {name,
            std::to_string(budget.token_cap),
            std::to_string(budget.tokens_used),
            std::to_string(budget.tokens_reserved),
            std::to_string(budget.tokens_left()),
            percent(budget.tokens_used, budget.token_cap),
            format_usd(budget.cost_used_microusd)};
}

std::vector<std::string> day_headings()
{
    return {"DAY", "CAP", "USED", "RESERVED", "LEFT", "USE", "COST", "COST CAP"};
}

std::vector<std::string> day_row(const DayBudget &budget)
{
    const auto of_cap = [&](const std::string &text) {
        return budget.token_cap ? text : "-";
    };
    return {budget.day,
            of_cap(std::to_string(budget.token_cap.value_or(0))),
            std::to_string(budget.tokens_used),
            std::to_string(budget.tokens_reserved),
            of_cap(std::to_string(budget.tokens_left())),
            percent(budget.tokens_used, budget.token_cap.value_or(0)),
            format_usd(budget.cost_used_microusd),
            budget.cost_cap_microusd ? format_usd(*budget.cost_cap_microusd) : "-"};
}

std::string budget_line(const Budget &budget)
{
    return std::to_string(budget.tokens_used) + " of " +
           std::to_string(budget.token_cap) + " tokens used, " +
           std::to_string(budget.tokens_reserved) + " reserved, " +
           format_usd(budget.cost_used_microusd);
}

} // namespace ap
