#pragma once

#include "sys/fifo_spool.hh"
#include "sys/keeper.hh"

#include <memory>
#include <string>
#include <vector>

namespace ap {

/// What one of an executor's jobs hands on from phase to phase, because making it costs
/// more than using it again: a keeper, and the FIFO for usage reports. (Some file systems
/// make a new file the more slowly the more have just been removed.)
class PhaseSlot
{
public:
    PhaseSlot() = default;

    /// Removes the FIFO, and ends what the keeper keeps.
    ~PhaseSlot();
    PhaseSlot(const PhaseSlot &) = delete;
    PhaseSlot &operator=(const PhaseSlot &) = delete;

    Keeper &keeper() noexcept { return keeper_; }

    /// The FIFO, empty, at `fifo_path` from now on, its lines going to `spool_path`.
    FifoSpool &move_fifo(const std::string &fifo_path, const std::string &spool_path);
    FifoSpool &fifo() noexcept { return *fifo_; }

private:
    Keeper keeper_;
    std::unique_ptr<FifoSpool> fifo_;
};

/// The slots that no phase has at the moment.
class PhaseSlots
{
public:
    /// One of them, or a new one.
    std::unique_ptr<PhaseSlot> take();

    void give(std::unique_ptr<PhaseSlot> slot) { idle_.push_back(std::move(slot)); }

private:
    std::vector<std::unique_ptr<PhaseSlot>> idle_;
};

} // namespace ap
