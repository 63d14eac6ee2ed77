#include "domain/phase_slot.hh"

#include "base/error.hh"
#include "sys/path.hh"

namespace ap {

PhaseSlot::~PhaseSlot()
{
    if (fifo_) {
        try {
            remove_file(fifo_->path());
        } catch (const Error &) {
            // It lies in the directory of an ended attempt and does no harm.
            fifo_.reset();
        }
    }
}

FifoReader &PhaseSlot::move_fifo(const std::string &path)
{
    if (!fifo_ || !fifo_->move_to(path)) {
        fifo_ = std::make_unique<FifoReader>(path);
    }
    return *fifo_;
}

} // namespace ap
