#include "net/error_window.hh"

namespace ap {

void ErrorWindow::note(Milliseconds now)
{
    const int64_t number = now / step;
    Slot &slot = slots_[static_cast<size_t>(number % steps)];
    if (slot.number != number) {
        slot = {number, 0};
    }
    slot.count++;
}

int64_t ErrorWindow::count(Milliseconds now) const
{
    const int64_t number = now / step;
    int64_t sum = 0;
    for (const Slot &slot : slots_) {
        sum += slot.number > number - steps && slot.number <= number ? slot.count : 0;
    }
    return sum;
}

} // namespace ap
