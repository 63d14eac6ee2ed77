#include "domain/phase_slot.hh"

#include "base/error.hh"
#include "sys/path.hh"

namespace ap {

PhaseSlot::~PhaseSlot()
{
    if (fifo_) {
        try {
            remove_file(fifo_->fifo_path());
        } catch (const Error &) {
            // It lies in the directory of an ended attempt and does no harm.
            fifo_.reset();
        }
    }
}

FifoSpool &PhaseSlot::move_fifo(const std::string &fifo_path,
                                const std::string &spool_path)
{
    if (!fifo_ || !fifo_->move_to(fifo_path, spool_path)) {
        fifo_ = std::make_unique<FifoSpool>(fifo_path, spool_path);
    }
    return *fifo_;
}

std::unique_ptr<PhaseSlot> PhaseSlots::take()
{
    if (idle_.empty()) {
        return std::make_unique<PhaseSlot>();
    }
    std::unique_ptr<PhaseSlot> slot = std::move(idle_.back());
    idle_.pop_back();
    return slot;
}

} // namespace ap
