#include "domain/gateway_journal.hh"

#include "base/error.hh"
#include "sys/path.hh"
#include "sys/process.hh"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace ap {

namespace {

constexpr int64_t under_way = 256;

struct JournalHeader
{
    char magic[8];
    uint32_t version;
    uint32_t slot_size;
    uint32_t slots;
    uint32_t unused;
    int64_t gateway_id; ///< 0: nothing counts
    char boot_id[64];
};

constexpr std::string_view magic = "apgate\n";
constexpr uint32_t version = 2;
constexpr size_t header_size = 4096;

static_assert(std::is_trivially_copyable_v<JournalSlot>);
static_assert(sizeof(JournalHeader) <= header_size);
static_assert(header_size % alignof(JournalSlot) == 0);

JournalHeader &header_of(const MappedFile &file)
{
    return *reinterpret_cast<JournalHeader *>(file.data());
}

std::span<JournalSlot> slots_in(const MappedFile &file, size_t count)
{
    return {reinterpret_cast<JournalSlot *>(file.data() + header_size), count};
}

size_t file_size(size_t slots)
{
    return header_size + slots * sizeof(JournalSlot);
}

} // namespace

void store_text(std::span<char> field, std::string_view text) noexcept
{
    const size_t length = std::min(text.size(), field.size() - 1);
    std::copy_n(text.begin(), length, field.begin());
    field[length] = '\0';
}

std::string_view stored_text(std::span<const char> field) noexcept
{
    return {field.data(), strnlen(field.data(), field.size())};
}

Usage usage_of_slot(const JournalSlot &slot, const CallRatios *ratios, UnixMs now)
{
    Usage usage;
    usage.provider = stored_text(slot.provider);
    usage.model = stored_text(slot.model);
    usage.request_id = stored_text(slot.request_id);
    if (slot_state(slot) == JournalSlot::Settled) {
        usage.prompt_tokens = slot.prompt_tokens;
        usage.completion_tokens = slot.completion_tokens;
        usage.cached_tokens = slot.cached_tokens;
        usage.cache_write_tokens = slot.cache_write_tokens;
        usage.reasoning_tokens = slot.reasoning_tokens;
        usage.cost_microusd = slot.cost_microusd;
        usage.duration_ms = slot.duration_ms;
        usage.estimated = slot.estimated != 0;
        if (usage.estimated) {
            usage.provider_request_id = stored_text(slot.provider_request_id);
        }
        return usage;
    }
    usage.provider_request_id = stored_text(slot.provider_request_id);
    usage.prompt_tokens = slot.input;
    if (ratios != nullptr && slot.input_known == 0 && slot.input_bound > 0) {
        usage.prompt_tokens = std::min(slot.input, ratios->input_of(slot.input_bound));
    }
    const CutAnswer cut = {slot.output,
                           slot.output_told,
                           slot.visible_bytes,
                           under_way,
                           slot.streamed != 0 && slot.output_seen > 0,
                           slot.hidden_output != 0};
    usage.completion_tokens = output_of(ratios, cut);
    usage.cost_microusd =
        slot.has_facts != 0
            ? cost_bound(slot.facts, usage.prompt_tokens, usage.completion_tokens)
            : 0;
    usage.duration_ms = std::max<int64_t>(0, now - slot.started_at);
    usage.estimated = true;
    return usage;
}

CallSample sample_of_slot(const JournalSlot &slot) noexcept
{
    return sample_of(slot.input_bound, slot.prompt_tokens,
                     {slot.completion_tokens, slot.reasoning_tokens, slot.visible_bytes,
                      slot.streamed != 0, slot.hidden_output != 0});
}

GatewayJournal::GatewayJournal(const std::string &path, uint32_t slots)
    : file_(path, file_size(slots))
    , slots_(slots_in(file_, slots))
{
}

void GatewayJournal::begin(int64_t gateway_id)
{
    JournalHeader &header = header_of(file_);
    store_text(header.magic, magic);
    header.version = version;
    header.slot_size = sizeof(JournalSlot);
    header.slots = size();
    store_text(header.boot_id, ProcessIdentity::self().boot_id);
    std::atomic_ref(header.gateway_id).store(gateway_id, std::memory_order_release);
}

void GatewayJournal::end() noexcept
{
    std::atomic_ref(header_of(file_).gateway_id).store(0, std::memory_order_release);
}

LeftJournal::LeftJournal(const std::string &path)
{
    if (!path_exists(path)) {
        return;
    }
    try {
        file_ = MappedFile(path, 0);
    } catch (const Error &error) {
        if (error.status() == ExitStatus::NoInput) {
            return;
        }
        if (error.status() != ExitStatus::TryAgain) {
            throw;
        }
        in_use_ = true;
    }
}

std::optional<std::span<const JournalSlot>>
LeftJournal::slots_of(int64_t gateway_id) const
{
    if (file_.size() < header_size) {
        return std::nullopt;
    }
    const JournalHeader &header = header_of(file_);
    if (stored_text(header.magic) != magic || header.version != version ||
        header.slot_size != sizeof(JournalSlot) || header.gateway_id != gateway_id ||
        file_.size() < file_size(header.slots) ||
        stored_text(header.boot_id) != ProcessIdentity::self().boot_id) {
        return std::nullopt;
    }
    return slots_in(file_, header.slots);
}

} // namespace ap
