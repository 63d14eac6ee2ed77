#include "net/llm_breaker.hh"

#include "base/error.hh"

#include <exception>
#include <utility>

namespace ap {

LlmBreaker::LlmBreaker(Sqlite &database, std::string name, const Clock &clock)
    : breakers_(database, clock)
    , name_(std::move(name))
    , clock_(clock)
{
}

LlmBreaker::~LlmBreaker()
{
    if (!probe_) {
        return;
    }
    try {
        breakers_.cancel(name_, probe_);
    } catch (const std::exception &) {
        probe_.reset(); // it is given up with this process
    }
}

std::optional<LlmFailure> LlmBreaker::refusal()
{
    const BreakerPermit permit = breakers_.allow(name_);
    probe_ = permit.probe_id;
    if (permit.allowed) {
        return std::nullopt;
    }
    const Error refusal = breaker_refusal(name_, permit, clock_);
    return LlmFailure{refusal.status(), refusal.what()};
}

void LlmBreaker::report(const std::string &reason, std::chrono::milliseconds duration,
                        std::chrono::milliseconds retry_after) noexcept
{
    try {
        BreakerResult result;
        result.failed = !reason.empty();
        result.reason = reason;
        result.duration_ms = duration.count();
        result.probe_id = std::exchange(probe_, std::nullopt);
        result.retry_after_ms = retry_after.count();
        breakers_.report(name_, result);
    } catch (const std::exception &) {
        probe_.reset();
    }
}

} // namespace ap
