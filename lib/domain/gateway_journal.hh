#pragma once

#include "domain/call_ratios.hh"
#include "domain/gateway_call.hh"
#include "sys/mapped_file.hh"

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ap {

/// What the journal holds of one call, as bytes of a mapped file. Fields are written
/// before the state that says they are there.
struct JournalSlot
{
    enum State : uint32_t {
        Free = 0,
        Waiting = 1,   ///< costs nothing
        Admitted = 2,  ///< reserved, but nothing sent
        Forwarded = 3, ///< the provider may have it
        Settled = 4,   ///< its usage is known, but not durable yet
    };

    uint32_t state;
    uint8_t has_attempt;
    uint8_t has_facts;
    uint8_t streamed;
    uint8_t hidden_output;
    int64_t reservation_id; ///< the tranche it is reserved from
    int64_t attempt;
    int64_t attempt_id; ///< 0: none
    int64_t started_at; ///< UnixMs
    int64_t input;      ///< bound, or what is known
    int64_t output;     ///< granted
    int64_t output_seen;
    int64_t output_told;   ///< of it, what the provider has said
    int64_t visible_bytes; ///< of the answer's text
    int64_t input_bound;   ///< what bytes bounded the input to; 0: it was counted
    // The usage of a settled call.
    int64_t prompt_tokens;
    int64_t completion_tokens;
    int64_t cached_tokens;
    int64_t cache_write_tokens;
    int64_t reasoning_tokens;
    int64_t cost_microusd;
    int64_t duration_ms;
    uint8_t estimated;
    uint8_t input_known; ///< `input` is what the provider said
    uint16_t dialect;
    ModelFacts facts;
    char request_id[64];
    char provider[32];
    char model[96];
    char provider_request_id[64]; ///< as the answer's header told it
};

/// The state of a slot, read or written so that another thread, or whoever reads the file
/// after a crash, finds what was stored before it.
inline JournalSlot::State slot_state(const JournalSlot &slot) noexcept
{
    return static_cast<JournalSlot::State>(
        std::atomic_ref(const_cast<uint32_t &>(slot.state))
            .load(std::memory_order_acquire));
}
inline void set_slot_state(JournalSlot &slot, JournalSlot::State state) noexcept
{
    std::atomic_ref(slot.state).store(state, std::memory_order_release);
}

/// Text of a slot. What does not fit is cut when stored.
void store_text(std::span<char> field, std::string_view text) noexcept;
std::string_view stored_text(std::span<const char> field) noexcept;

/// The usage that a slot's call is recorded with: its own if it has settled, else an
/// estimate from the ratios of its model (null: none are known), or where they do not
/// tell, from bounds: its input; of output what was seen and 256 tokens that may have
/// been under way, or all it might make if it is not streamed or nothing came.
Usage usage_of_slot(const JournalSlot &slot, const CallRatios *ratios, UnixMs now);

/// What a call that has ended with its provider's own figures tells of others.
CallSample sample_of_slot(const JournalSlot &slot) noexcept;

/// The journal of one gateway, see gateway_ledger.hh. Held locked.
class GatewayJournal
{
public:
    /// Takes the journal for gateway `gateway_id`, `slots` slots, all free. What was in
    /// it is lost: reconcile first. Throws as MappedFile does.
    GatewayJournal(const std::string &path, uint32_t slots);

    /// Says whose it is, from when on it counts.
    void begin(int64_t gateway_id);

    /// Nothing in it counts any more.
    void end() noexcept;

    JournalSlot &slot(uint32_t index) noexcept { return slots_[index]; }
    uint32_t size() const noexcept { return static_cast<uint32_t>(slots_.size()); }

private:
    MappedFile file_;
    std::span<JournalSlot> slots_;
};

/// A journal that a dead gateway left.
class LeftJournal
{
public:
    /// Takes the journal at `path` if it is there and nobody has it.
    explicit LeftJournal(const std::string &path);

    /// Whether a living gateway has it locked.
    bool in_use() const noexcept { return in_use_; }

    /// The slots if this is the journal of that gateway, written since the machine
    /// started; nothing if it cannot be trusted.
    std::optional<std::span<const JournalSlot>> slots_of(int64_t gateway_id) const;

private:
    MappedFile file_;
    bool in_use_ = false;
};

} // namespace ap
