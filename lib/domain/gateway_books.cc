#include "domain/gateway_books.hh"

#include <algorithm>

namespace ap {

namespace {

constexpr uint32_t no_slot = UINT32_MAX;

int64_t bounded(int64_t count)
{
    return std::clamp<int64_t>(count, 0, largest_amount);
}

} // namespace

GatewayBooks::GatewayBooks(GatewayJournal &journal, const LedgerOptions &options)
    : journal_(journal)
    , options_(options)
{
}

GatewayAccount &GatewayBooks::account(std::string_view run_id, std::string_view phase_id)
{
    const auto found = accounts_.find(Key(run_id, phase_id));
    if (found != accounts_.end()) {
        return *found->second;
    }
    auto made = std::make_unique<GatewayAccount>();
    made->run_id = run_id;
    made->phase_id = phase_id;
    const Key key(made->run_id, made->phase_id);
    return *accounts_.emplace(key, std::move(made)).first->second;
}

std::optional<uint32_t> GatewayBooks::take_slot()
{
    if (!free_.empty()) {
        const uint32_t slot = free_.back();
        free_.pop_back();
        return slot;
    }
    if (calls_.size() == journal_.size()) {
        return std::nullopt;
    }
    calls_.emplace_back();
    return static_cast<uint32_t>(calls_.size() - 1);
}

uint32_t GatewayBooks::slot_of(CallId id) const noexcept
{
    const auto slot = static_cast<uint32_t>(id);
    return slot < calls_.size() && calls_[slot].generation == id >> 32 ? slot : no_slot;
}

CallId GatewayBooks::id_of(uint32_t slot) const noexcept
{
    return (CallId{calls_[slot].generation} << 32) | slot;
}

const GatewayAccount &GatewayBooks::account_of(uint32_t slot) const
{
    return *calls_[slot].account;
}

void GatewayBooks::fill(JournalSlot &slot, const LedgerCall &asked, UnixMs at)
{
    slot.has_attempt = asked.attempt.has_value();
    slot.attempt = asked.attempt.value_or(0);
    slot.attempt_id = asked.attempt_id.value_or(0);
    slot.streamed = asked.streamed;
    slot.hidden_output = asked.hidden_output;
    slot.reservation_id = 0;
    slot.started_at = at;
    slot.input = bounded(asked.input);
    slot.output = 0;
    slot.output_seen = 0;
    slot.output_told = 0;
    slot.visible_bytes = 0;
    slot.input_bound = asked.input_from_bytes ? slot.input : 0;
    slot.input_known = 0;
    slot.provider_request_id[0] = '\0';
    slot.dialect = static_cast<uint16_t>(asked.dialect);
    slot.has_facts = asked.facts != nullptr;
    if (asked.facts != nullptr) {
        slot.facts = *asked.facts;
    }
    store_text(slot.request_id, asked.request_id);
    store_text(slot.provider, asked.provider);
    store_text(slot.model, asked.model);
}

Admission GatewayBooks::admit(const LedgerCall &asked, Time now, UnixMs at)
{
    Admission admission;
    admission.tag = asked.tag;
    const std::optional<uint32_t> slot = take_slot();
    if (!slot) {
        admission.refusal = Refusal::Busy;
        admission.reason = "more than " + std::to_string(journal_.size()) +
                           " calls are in flight or not yet recorded";
        return admission;
    }
    GatewayAccount &owner = account(asked.run_id, asked.phase_id);
    owner.last_used = now;
    Call &call = calls_[*slot];
    ++call.generation;
    call.tag = asked.tag;
    call.account = &owner;
    call.wanted = bounded(asked.output_wanted);
    call.enough = std::min(bounded(asked.output_enough), call.wanted);
    call.least = std::min(bounded(asked.output_least), call.enough);
    call.deadline = now + options_.wait_limit;
    call.decided = -1;
    call.refusal = Refusal::None;
    fill(journal_.slot(*slot), asked, at);
    admission.call = id_of(*slot);
    const Amount need = need_of(*slot, call.wanted);
    owner.average = owner.average == Amount{} ? need : (owner.average * 7 + need) / 8;
    if (owner.queue.empty() && !owner.beyond_cap) {
        if (const auto output = fitting(*slot, owner.free, call.enough)) {
            admit_call(*slot, *output);
            watch_level(owner);
            admission.state = Admission::State::Admitted;
            admission.output = *output;
            return admission;
        }
    }
    set_slot_state(journal_.slot(*slot), JournalSlot::Waiting);
    owner.queue.push_back(*slot);
    ++waiting_;
    urgent_ = true;
    admission.state = Admission::State::Waiting;
    return admission;
}

Amount GatewayBooks::need_of(uint32_t slot, int64_t output) const
{
    const JournalSlot &entry = journal_.slot(slot);
    return amount_of(entry.has_facts != 0 ? &entry.facts : nullptr, entry.input, output);
}

// The most output, up to what is wanted, with which the call fits into `room`; nothing
// if it does not even with `least`.
std::optional<int64_t> GatewayBooks::fitting(uint32_t slot, Amount room,
                                             int64_t least) const
{
    const Call &call = calls_[slot];
    if (covers(room, need_of(slot, call.wanted))) {
        return call.wanted;
    }
    if (!covers(room, need_of(slot, least))) {
        return std::nullopt;
    }
    int64_t fits = least;
    int64_t too_much = call.wanted;
    while (too_much - fits > 1) {
        const int64_t middle = fits + (too_much - fits) / 2;
        (covers(room, need_of(slot, middle)) ? fits : too_much) = middle;
    }
    return fits;
}

void GatewayBooks::reserve(Call &call, Amount amount)
{
    GatewayAccount &owner = *call.account;
    owner.free = owner.free - amount + call.reserved;
    owner.open = owner.open + amount - call.reserved;
    call.reserved = amount;
}

void GatewayBooks::admit_call(uint32_t slot, int64_t output)
{
    Call &call = calls_[slot];
    JournalSlot &entry = journal_.slot(slot);
    call.reserved = {};
    reserve(call, need_of(slot, output));
    call.allowed = call.reserved.tokens;
    ++call.account->calls;
    ++in_flight_;
    ++counts.admitted;
    counts.clamped += output < call.enough;
    entry.output = output;
    entry.reservation_id = call.account->reservation_id;
    set_slot_state(entry, JournalSlot::Admitted);
}

void GatewayBooks::watch_level(GatewayAccount &owner)
{
    if (owner.free.tokens < owner.low_water || owner.free.microusd < 0) {
        owner.wants_growth = true;
        urgent_ = true;
    }
}

void GatewayBooks::forwarding(CallId id) noexcept
{
    const uint32_t slot = slot_of(id);
    if (slot != no_slot && slot_state(journal_.slot(slot)) == JournalSlot::Admitted) {
        set_slot_state(journal_.slot(slot), JournalSlot::Forwarded);
    }
}

void GatewayBooks::reroute(CallId id, std::string_view provider) noexcept
{
    const uint32_t slot = slot_of(id);
    if (slot != no_slot) {
        store_text(journal_.slot(slot).provider, provider);
    }
}

void GatewayBooks::answered(CallId id, std::string_view provider_request_id) noexcept
{
    const uint32_t slot = slot_of(id);
    if (slot != no_slot) {
        store_text(journal_.slot(slot).provider_request_id, provider_request_id);
    }
}

bool GatewayBooks::observe(CallId id, const MeterProgress &progress) noexcept
{
    const uint32_t slot = slot_of(id);
    if (slot == no_slot) {
        return false;
    }
    JournalSlot &entry = journal_.slot(slot);
    const JournalSlot::State state = slot_state(entry);
    if (state != JournalSlot::Admitted && state != JournalSlot::Forwarded) {
        return false;
    }
    Call &call = calls_[slot];
    const int64_t input = bounded(progress.input_known.value_or(entry.input));
    const int64_t output_seen = bounded(progress.output_within(entry.output));
    const int64_t output = std::max(entry.output, output_seen);
    entry.input_known = progress.input_known.has_value();
    entry.output_seen = output_seen;
    entry.output_told = bounded(progress.output_told);
    entry.visible_bytes = bounded(progress.visible_bytes);
    if (input == entry.input && output == entry.output) {
        return true;
    }
    entry.input = input;
    entry.output = output;
    reserve(call, need_of(slot, output));
    watch_level(*call.account);
    serve(*call.account);
    urgent_ = urgent_ || waiting_ > 0;
    return covers(call.account->free, {});
}

void GatewayBooks::settle(CallId id, const Usage &usage, int64_t cache_write_long,
                          UnixMs at) noexcept
{
    const uint32_t slot = slot_of(id);
    if (slot == no_slot) {
        return;
    }
    JournalSlot &entry = journal_.slot(slot);
    const JournalSlot::State state = slot_state(entry);
    if (state != JournalSlot::Admitted && state != JournalSlot::Forwarded) {
        return;
    }
    entry.prompt_tokens = bounded(usage.prompt_tokens);
    entry.completion_tokens = bounded(usage.completion_tokens);
    entry.cached_tokens = bounded(usage.cached_tokens);
    entry.cache_write_tokens = bounded(usage.cache_write_tokens);
    entry.reasoning_tokens = bounded(usage.reasoning_tokens);
    entry.estimated = usage.estimated;
    entry.cost_microusd =
        entry.has_facts != 0 ? cost_of(entry.facts, usage, cache_write_long) : 0;
    entry.duration_ms = usage.duration_ms > 0
                            ? usage.duration_ms
                            : std::max<int64_t>(0, at - entry.started_at);
    if (entry.estimated == 0) {
        ratios.add(static_cast<Dialect>(entry.dialect), stored_text(entry.model),
                   sample_of_slot(entry)); // as the model was asked for
    }
    if (!usage.provider.empty()) {
        store_text(entry.provider, usage.provider);
    }
    if (!usage.model.empty()) {
        store_text(entry.model, usage.model);
    }
    set_slot_state(entry, JournalSlot::Settled);
    Call &call = calls_[slot];
    GatewayAccount &owner = *call.account;
    const Amount used = {entry.prompt_tokens + entry.completion_tokens,
                         entry.cost_microusd};
    counts.over_delivered += std::max<int64_t>(0, used.tokens - call.allowed);
    ++counts.settled;
    reserve(call, {});
    owner.free = owner.free - used;
    owner.pending = owner.pending + used;
    --owner.calls;
    --in_flight_;
    settled.push_back(slot);
    ++call.generation; // the caller's id is of no use any more
    watch_level(owner);
    serve(owner);
    urgent_ = urgent_ || waiting_ > 0;
}

const CallRatios *GatewayBooks::ratios_of(const JournalSlot &slot) const
{
    return ratios.find(static_cast<Dialect>(slot.dialect), stored_text(slot.model));
}

void GatewayBooks::cancel(CallId id) noexcept
{
    const uint32_t slot = slot_of(id);
    if (slot == no_slot) {
        return;
    }
    Call &call = calls_[slot];
    GatewayAccount &owner = *call.account;
    const JournalSlot::State state = slot_state(journal_.slot(slot));
    if (state == JournalSlot::Waiting) {
        std::erase(owner.queue, slot);
        --waiting_;
    } else if (state == JournalSlot::Admitted || state == JournalSlot::Forwarded) {
        reserve(call, {});
        --owner.calls;
        --in_flight_;
    } else {
        return;
    }
    release(slot);
    serve(owner);
    urgent_ = urgent_ || waiting_ > 0;
}

void GatewayBooks::release(uint32_t slot)
{
    set_slot_state(journal_.slot(slot), JournalSlot::Free);
    ++calls_[slot].generation;
    calls_[slot].account = nullptr;
    free_.push_back(slot);
}

void GatewayBooks::free_slots(const std::vector<uint32_t> &slots)
{
    for (const uint32_t slot : slots) {
        release(slot);
    }
}

// Those who wait get what has become free, first come first served; not while a cycle
// decides about them.
void GatewayBooks::serve(GatewayAccount &owner)
{
    while (!owner.queue.empty() && !owner.beyond_cap) {
        const uint32_t slot = owner.queue.front();
        const Call &call = calls_[slot];
        if (call.decided >= 0 || call.refusal != Refusal::None) {
            return;
        }
        const auto output = fitting(slot, owner.free, call.enough);
        if (!output) {
            return;
        }
        owner.queue.pop_front();
        --waiting_;
        ++counts.waited;
        admit_call(slot, *output);
        answers.push_back({Admission::State::Admitted,
                           id_of(slot),
                           *output,
                           Refusal::None,
                           {},
                           call.tag});
    }
}

void GatewayBooks::refuse_call(uint32_t slot, Refusal refusal, std::string reason)
{
    --waiting_;
    counts.refused += refusal == Refusal::PhaseBudget || refusal == Refusal::RunBudget ||
                      refusal == Refusal::DayBudget;
    answers.push_back({Admission::State::Refused, id_of(slot), 0, refusal,
                       std::move(reason), calls_[slot].tag});
    release(slot);
}

void GatewayBooks::end_calls(UnixMs at)
{
    for (uint32_t slot = 0; slot < calls_.size(); ++slot) {
        const CallId id = id_of(slot);
        const JournalSlot &entry = journal_.slot(slot);
        const JournalSlot::State state = slot_state(entry);
        if (state == JournalSlot::Forwarded) {
            settle(id, usage_of_slot(entry, ratios_of(entry), at), 0, at);
        } else if (state == JournalSlot::Admitted || state == JournalSlot::Waiting) {
            cancel(id);
        }
    }
}

} // namespace ap
