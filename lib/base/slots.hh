#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace ap {

/// Objects that are costly to make and so are used again and again. Each use has an id of
/// its own that is never repeated; the address of an object stays the same.
template <typename Item>
class Slots
{
public:
    /// An object that is not in use, as its last user left it; `make(id, Item &)` is
    /// called first for a new one. Returns its id.
    template <typename Make>
    uint64_t take(const Make &make)
    {
        if (unused_.empty()) {
            auto slot = std::make_unique<Slot>();
            slot->id = slots_.size();
            make(slot->item);
            slots_.push_back(std::move(slot));
            unused_.push_back(slots_.back().get());
        }
        Slot &slot = *unused_.back();
        unused_.pop_back();
        slot.used = true;
        return slot.id;
    }

    /// The object in use under `id`; null if it was given back.
    Item *find(uint64_t id) const noexcept
    {
        const size_t index = static_cast<uint32_t>(id);
        Slot *slot = index < slots_.size() ? slots_[index].get() : nullptr;
        return slot != nullptr && slot->used && slot->id == id ? &slot->item : nullptr;
    }

    /// Ends the use; unknown ids are ignored.
    void give_back(uint64_t id)
    {
        if (find(id) != nullptr) {
            Slot &slot = *slots_[static_cast<uint32_t>(id)];
            slot.used = false;
            slot.id += uint64_t{1} << 32;
            unused_.push_back(&slot);
        }
    }

    size_t used() const noexcept { return slots_.size() - unused_.size(); }

    /// Calls `use(id, Item &)` for those in use, which it may give back.
    template <typename Use>
    void each(const Use &use) const
    {
        for (size_t i = 0; i < slots_.size(); i++) {
            if (slots_[i]->used) {
                use(slots_[i]->id, slots_[i]->item);
            }
        }
    }

private:
    struct Slot
    {
        uint64_t id = 0; // the use in the upper half, the index in the lower
        bool used = false;
        Item item;
    };

    std::vector<std::unique_ptr<Slot>> slots_;
    std::vector<Slot *> unused_;
};

} // namespace ap
