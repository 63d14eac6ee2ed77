#pragma once

#include "domain/breaker.hh"
#include "domain/llm_answer.hh"

#include <chrono>
#include <optional>
#include <string>

namespace ap {

/// The breaker of a provider and model, for one call that goes there without a gateway
/// and may be tried several times.
class LlmBreaker
{
public:
    LlmBreaker(Sqlite &database, std::string name, const Clock &clock);

    /// Gives back a probe of which nothing was reported.
    ~LlmBreaker();
    LlmBreaker(const LlmBreaker &) = delete;
    LlmBreaker &operator=(const LlmBreaker &) = delete;

    /// Asks before a try: why it is not to be made, or nothing.
    std::optional<LlmFailure> refusal();

    /// How a try went; `reason`: why it failed, empty if it did not. The answer is there
    /// whether this can be written or not: a database that cannot be is passed over.
    void report(const std::string &reason, std::chrono::milliseconds duration,
                std::chrono::milliseconds retry_after) noexcept;

private:
    Breakers breakers_;
    std::string name_;
    const Clock &clock_;
    std::optional<int64_t> probe_;
};

} // namespace ap
