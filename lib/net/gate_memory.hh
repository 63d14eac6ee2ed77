#pragma once

#include "domain/breaker.hh"
#include "domain/capability.hh"

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace ap {

/// What the gateway's loops saw in the database a moment ago, in common: who calls, and
/// the breakers. From any thread.
class GateMemory
{
public:
    using Steady = std::chrono::steady_clock;

    /// What was seen is believed for so long.
    static constexpr std::chrono::milliseconds remembered{500};

    /// Whose key it is, if that was seen lately.
    std::optional<CapabilityOwner> owner(const std::string &key);

    /// Sees whose key it is; nothing: nobody's.
    void see_owner(const std::string &key, const std::optional<CapabilityOwner> &owner);

    /// What is known of a breaker.
    struct Look
    {
        /// Whether a call may go; nothing: the database has to be asked.
        std::optional<BreakerPermit> permit;
        /// It is to be looked at again, by who is told this; see_breaker() or
        /// looked_in_vain() is to follow.
        bool look_again = false;
    };
    Look look(const std::string &name, UnixMs now);
    void see_breaker(const std::string &name, const Breaker &breaker);
    void looked_in_vain(const std::string &name);

    /// Whether a success would change nothing about the breaker, so that it need not be
    /// reported.
    bool is_quiet(const std::string &name);

private:
    struct Known
    {
        CapabilityOwner owner;
        Steady::time_point at;
    };
    struct Seen
    {
        Breaker breaker;
        Steady::time_point at;
        bool asking = false;
    };

    std::mutex mutex_; ///< guards what follows
    std::unordered_map<std::string, Known> owners_;
    std::unordered_map<std::string, Seen> seen_;
};

} // namespace ap
