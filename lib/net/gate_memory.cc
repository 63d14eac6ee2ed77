#include "net/gate_memory.hh"

#include "domain/breaker_rules.hh"

#include <utility>

namespace ap {

namespace {

constexpr size_t most_remembered = 4096;

template <typename Map>
void limit(Map &map)
{
    if (map.size() >= most_remembered) {
        map.clear();
    }
}

} // namespace

std::optional<CapabilityOwner> GateMemory::owner(const std::string &key)
{
    const std::lock_guard lock(mutex_);
    const auto known = owners_.find(key);
    return known != owners_.end() && Steady::now() - known->second.at < remembered
               ? std::optional(known->second.owner)
               : std::nullopt;
}

void GateMemory::see_owner(const std::string &key,
                           const std::optional<CapabilityOwner> &owner)
{
    const std::lock_guard lock(mutex_);
    if (!owner) {
        owners_.erase(key);
        return;
    }
    limit(owners_);
    owners_[key] = {*owner, Steady::now()};
}

GateMemory::Look GateMemory::look(const std::string &name, UnixMs now)
{
    const std::lock_guard lock(mutex_);
    const auto found = seen_.find(name);
    if (found == seen_.end()) {
        return {};
    }
    Seen &seen = found->second;
    const bool fresh = Steady::now() - seen.at < remembered;
    switch (seen.breaker.state) {
    case BreakerState::Closed:
    case BreakerState::Disabled:
        return {.permit = BreakerPermit{.allowed = true},
                .look_again = !fresh && !std::exchange(seen.asking, true)};
    case BreakerState::Open:
        if (fresh && seen.breaker.retry_at && *seen.breaker.retry_at > now) {
            return {.permit = BreakerPermit{.allowed = false,
                                            .retry_at = seen.breaker.retry_at}};
        }
        break;
    case BreakerState::HalfOpen:
    case BreakerState::ForcedOpen:
        break;
    }
    return {};
}

void GateMemory::see_breaker(const std::string &name, const Breaker &breaker)
{
    const std::lock_guard lock(mutex_);
    limit(seen_);
    seen_[name] = {breaker, Steady::now(), false};
}

void GateMemory::looked_in_vain(const std::string &name)
{
    const std::lock_guard lock(mutex_);
    if (const auto found = seen_.find(name); found != seen_.end()) {
        found->second.asking = false;
    }
}

bool GateMemory::is_quiet(const std::string &name)
{
    const std::lock_guard lock(mutex_);
    const auto found = seen_.find(name);
    if (found == seen_.end()) {
        return false;
    }
    const Breaker &breaker = found->second.breaker;
    return breaker.state == BreakerState::Closed && breaker.failure_count == 0 &&
           !keeps_window(breaker.config);
}

} // namespace ap
