#pragma once

#include "domain/gateway_account.hh"
#include "domain/gateway_journal.hh"
#include "domain/gateway_ledger.hh"
#include "domain/usage_ratios.hh"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ap {

/// The gateway's books in memory, without threads or database: GatewayLedger locks them
/// and its thread carries out what they decide.
class GatewayBooks
{
public:
    using Clock = std::chrono::steady_clock;
    using Time = Clock::time_point;

    GatewayBooks(GatewayJournal &journal, const LedgerOptions &options);

    // The front half, as GatewayLedger documents it.
    Admission admit(const LedgerCall &asked, Time now, UnixMs at);
    void forwarding(CallId id) noexcept;
    void reroute(CallId id, std::string_view provider) noexcept;
    void answered(CallId id, std::string_view provider_request_id) noexcept;
    bool observe(CallId id, const MeterProgress &progress) noexcept;
    void settle(CallId id, const Usage &usage, int64_t cache_write_long,
                UnixMs at) noexcept;
    void cancel(CallId id) noexcept;

    /// Answers to calls that waited, not yet taken.
    std::vector<Admission> answers;

    UsageRatios ratios; ///< of the calls that settled with their provider's figures

    LedgerStatus counts; ///< all but what can be counted now

    /// The calls that settled since the last time, by slot. Those are the caller's until
    /// they are freed or put back.
    std::vector<uint32_t> settled;

    /// Whether somebody waits for the ledger's thread.
    bool urgent() const noexcept { return urgent_; }
    int64_t waiting() const noexcept { return waiting_; }
    int64_t in_flight() const noexcept { return in_flight_; }
    bool has_accounts() const noexcept { return !accounts_.empty(); }
    size_t account_count() const noexcept { return accounts_.size(); }

    /// The accounts that hold a tranche.
    struct Holder
    {
        std::string run_id;
        std::string phase_id;
    };
    std::vector<Holder> holders() const;

    // The steps of a cycle, in this order.

    /// The accounts there is something to do about, each with its plan; `closing`: all of
    /// them give everything back.
    /// `check_caps`: those with a tranche are among them.
    std::vector<GatewayAccount *> begin_cycle(Time now, bool closing, bool check_caps);
    /// Takes back what the account holds unused, up to what is used and reserved beyond a
    /// cap; its plan and row say how much it gives. False if that is nothing. What is
    /// still beyond is held by calls in flight: until it is not, what they leave goes to
    /// nobody without a cycle.
    bool give_back(GatewayAccount &account, const AccountRoom &room);
    /// Takes back what other accounts under the caps that are too short for this one hold
    /// unused; their plans and rows say how much they give.
    std::vector<GatewayAccount *> reclaim(const GatewayAccount &account,
                                          const AccountRoom &room);
    /// Decides about the waiting calls of an account; its plan and the result say how
    /// much the tranche grows.
    Amount decide(GatewayAccount &account, const AccountRoom &room, Time now);
    /// Calls that decide() refused for a budget.
    struct RefusedCall
    {
        int64_t attempt_id;
        Refusal refusal;
        std::string reason;
    };
    std::vector<RefusedCall> refused_calls(const GatewayAccount &account) const;
    /// The cycle is committed: calls are admitted or refused as decided.
    void end_cycle(const std::vector<GatewayAccount *> &affected);
    /// The cycle failed: all is as before. Waiting calls are refused if `give_up`.
    void undo_cycle(const std::vector<GatewayAccount *> &affected, bool give_up,
                    const std::string &reason);
    void free_slots(const std::vector<uint32_t> &slots);

    /// The account of a settled call, and everything at the end: calls in flight are
    /// settled at their estimates or dropped.
    const GatewayAccount &account_of(uint32_t slot) const;
    void end_calls(UnixMs at);

private:
    struct Call
    {
        uint32_t generation = 0;
        uint64_t tag = 0; ///< of who asked
        GatewayAccount *account = nullptr;
        Amount reserved;
        int64_t allowed = 0; ///< tokens it was admitted with
        int64_t wanted = 0;
        int64_t enough = 0;
        int64_t least = 0;
        int64_t input = 0;
        Time deadline;
        int64_t decided = -1; ///< output granted by the cycle under way
        Refusal refusal = Refusal::None;
        std::string reason;
    };
    using Key = std::pair<std::string_view, std::string_view>;

    GatewayJournal &journal_;
    LedgerOptions options_;
    std::map<Key, std::unique_ptr<GatewayAccount>> accounts_; ///< keys point into them
    std::vector<Call> calls_; ///< by slot, as far as they were used
    std::vector<uint32_t> free_;
    int64_t waiting_ = 0;
    int64_t in_flight_ = 0;
    bool urgent_ = false;

    GatewayAccount &account(std::string_view run_id, std::string_view phase_id);
    std::optional<uint32_t> take_slot();
    uint32_t slot_of(CallId id) const noexcept; ///< no_slot for an unknown one
    CallId id_of(uint32_t slot) const noexcept;
    const CallRatios *ratios_of(const JournalSlot &slot) const;
    void fill(JournalSlot &slot, const LedgerCall &asked, UnixMs at);
    void admit_call(uint32_t slot, int64_t output);
    void refuse_call(uint32_t slot, Refusal refusal, std::string reason);
    void release(uint32_t slot);
    void reserve(Call &call, Amount amount);
    void serve(GatewayAccount &owner);
    void watch_level(GatewayAccount &owner);
    static void take_back(GatewayAccount &account, Amount taken);
    Amount need_of(uint32_t slot, int64_t output) const;
    std::optional<int64_t> fitting(uint32_t slot, Amount room, int64_t least) const;

    /// What calls in flight hold.
    struct InFlight
    {
        int64_t calls = 0;
        Amount open;
    };
    InFlight in_flight_of(const GatewayAccount *account, std::string_view run_id) const;
    bool might_fit_later(const GatewayAccount &account, const AccountRoom &room,
                         Amount need, InFlight decided) const;
    bool decide_call(GatewayAccount &account, uint32_t slot, const AccountRoom &room,
                     InFlight &decided, Time now);
    void refuse_for(uint32_t slot, const GatewayAccount &account, const AccountRoom &room,
                    Amount decided);
};

} // namespace ap
