#pragma once

#include "domain/call_ratios.hh"
#include "domain/gateway_call.hh"
#include "domain/state.hh"
#include "domain/usage_meter.hh"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace ap {

/// The gateway's books. Every call is admitted before it is forwarded and settled when it
/// has ended; neither waits for the disk while there is headroom.
///
/// For each account (run and phase) a thread of its own holds a *tranche*: one OPEN row
/// of budget_reservations with purpose "gateway tranche", durable before anything is
/// admitted from it, out of which calls are reserved in memory. Settled usage is written
/// in group commits that shrink the tranche by the same amount, so that at every moment,
/// for run, phase and day, in tokens and money:
///
///     durable usage + open reservations <= cap
///     tranche >= calls in flight + settled usage not yet written
///
/// Both hold whatever ends the process. (Only a provider that delivers more than it was
/// allowed breaks the first; that much is recorded and nothing more is admitted.)
///
/// The *journal* `<runs>/gate.journal` is a mapped file with a slot for each call in
/// flight, written with plain stores, which survive a SIGKILL. The next start, or ap-db
/// cleanup, reads it (reconcile_gateways): calls that had settled are recorded exactly,
/// calls that had been forwarded as estimates, each once (by request_id), and what is
/// left of the tranches is given back. After a power loss the journal cannot be trusted
/// (its boot is another); then the whole tranche is recorded as used. Until then open
/// tranches count as spent. The journal is locked by the gateway that uses it: one
/// gateway for one runs directory.
///
/// A tranche follows demand: some calls' worth ahead, at most a sixteenth of what is
/// left, exactly one call's need near the cap; what is idle for two seconds, or needed by
/// another account, is given back. So is what is beyond a cap that somebody lowered,
/// which is looked for twenty times a second: from then on nothing is admitted until used
/// and reserved are within all caps, and only what calls in flight were admitted with
/// stays beyond them.
///
/// A call that does not fit now but might once calls in flight settle waits, first come
/// first served within its account. When nothing is in flight under the cap that is too
/// short (or its time is up), it is given less output if that is enough for it, or
/// refused.

struct LedgerOptions
{
    std::chrono::milliseconds wait_limit{60'000};  ///< the longest a call waits
    std::chrono::milliseconds commit_interval{10}; ///< the longest settled usage waits
    std::chrono::milliseconds idle_limit{2'000};   ///< an idle tranche is then given back
    uint32_t slots = 16'384; ///< calls in flight or unwritten at once
};

/// See above. All functions may be called from any thread and never wait for the disk,
/// except the constructor, flush() and the destructor.
class GatewayLedger
{
public:
    /// Opens the database a second time for its own thread, takes the journal (throws
    /// Error(TryAgain) if a gateway has it), reconciles what a dead gateway left, and
    /// starts the thread.
    GatewayLedger(const StatePaths &paths, const LedgerOptions &options);

    /// Ends the thread after everything settled is durable; calls still in flight are
    /// settled at their estimates, and the tranches given back.
    ~GatewayLedger();

    GatewayLedger(const GatewayLedger &) = delete;
    GatewayLedger &operator=(const GatewayLedger &) = delete;

    /// Reserves for a call: at once, or later (State::Waiting, then take_answers() has
    /// the answer). An admitted call must be settled or cancelled.
    Admission admit(const LedgerCall &call);

    /// Readable while take_answers() has something: for the caller's poll loop.
    int answers_fd() const noexcept;

    /// Answers to calls that waited, each once: Admitted or Refused. The answer to a call
    /// that was cancelled meanwhile may still come, and means nothing.
    std::vector<Admission> take_answers();

    /// Says that the request is about to go to the provider: from here on the call counts
    /// even if the gateway dies. Call before the first byte is sent.
    void forwarding(CallId call) noexcept;

    /// The call goes to another provider than the one it was admitted for.
    void reroute(CallId call, std::string_view provider) noexcept;

    /// The answer has begun, and this is how the provider calls it (cut at 63 bytes).
    void answered(CallId call, std::string_view provider_request_id) noexcept;

    /// What was seen of the answer so far. Once the input is known the rest of its bound
    /// goes back to the account. Output that the provider told beyond what was granted is
    /// reserved, too. False if the answer has grown beyond its reservation and no more
    /// can be reserved: the caller should end it.
    bool observe(CallId call, const MeterProgress &progress) noexcept;

    /// The call has ended and used this: recorded once, in the next group commit. The
    /// usage's provider and model replace the call's unless empty; its cost is computed
    /// here, from the call's facts. If it is no estimate, it counts for those to come.
    void settle(CallId call, const Usage &usage, int64_t cache_write_long = 0) noexcept;

    /// The call ended without any cost (never forwarded, or refused by the provider
    /// before it did anything), or is no longer waiting. Unknown calls are ignored.
    void cancel(CallId call) noexcept;

    /// The largest answer the model was seen to give, in tokens of output; 0 if none was.
    /// Kept in the database.
    int64_t largest_output(std::string_view model) const;

    /// What the last calls of a model, as it was asked for, tell of one that was cut off.
    CallRatios ratios_of(Dialect dialect, std::string_view model) const;

    /// Waits until all that was settled before is durable. Throws Error(TryAgain) if that
    /// takes longer than `limit`.
    void flush(std::chrono::milliseconds limit);

    LedgerStatus status() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace ap
