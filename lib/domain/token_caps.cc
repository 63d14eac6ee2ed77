#include "domain/token_caps.hh"

#include "base/text.hh"
#include "domain/budget.hh"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>

namespace ap {

namespace {

constexpr double largest_multiplier = 1000;

[[noreturn]] void refuse(const char *variable, std::string_view wanted,
                         std::string_view got)
{
    throw Error(ExitStatus::Config, std::string(variable) + ": expected " +
                                        std::string(wanted) + ", got '" + printable(got) +
                                        "'");
}

bool read_cap(const char *variable, int64_t &cap)
{
    const char *text = std::getenv(variable);
    if (text == nullptr) {
        return false;
    }
    const auto value = parse_integer(text, 0, largest_amount);
    if (!value) {
        refuse(variable, "a whole number from 0 to " + std::to_string(largest_amount),
               text);
    }
    cap = *value;
    return true;
}

void read_multipliers(const char *variable, TokenCaps &caps)
{
    const char *text = std::getenv(variable);
    if (text == nullptr) {
        return;
    }
    std::set<std::string_view> seen;
    for (const std::string_view item : split(text, ',')) {
        const size_t colon = std::min(item.find(':'), item.size());
        const std::string_view type = trim(item.substr(0, colon));
        const auto factor =
            parse_decimal(trim(item.substr(std::min(colon + 1, item.size()))));
        if (!is_identifier(type) || !factor || *factor > largest_multiplier) {
            refuse(variable, "TYPE:NUMBER,... with numbers from 0 to 1000", item);
        }
        if (!seen.insert(type).second) {
            refuse(variable, "each type once", item);
        }
        caps.multipliers.insert_or_assign(std::string(type), *factor);
    }
}

} // namespace

int64_t TokenCaps::phase_cap(std::string_view type) const
{
    const auto found = multipliers.find(type);
    const double factor = found == multipliers.end() ? 1.0 : found->second;
    // The small addend keeps 100 * 0.29 at 29, which binary fractions put just below.
    const double cap = std::floor(static_cast<double>(phase) * factor + 1e-6);
    return static_cast<int64_t>(std::min(cap, static_cast<double>(largest_amount)));
}

TokenCaps token_caps_from_environment()
{
    TokenCaps caps;
    caps.run_is_set = read_cap("AUTOPACK_RUN_TOKEN_CAP", caps.run);
    read_cap("AUTOPACK_PHASE_TOKEN_CAP", caps.phase);
    read_multipliers("AUTOPACK_PHASE_TOKEN_MULTIPLIERS", caps);
    return caps;
}

} // namespace ap
