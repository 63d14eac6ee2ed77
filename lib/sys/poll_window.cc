#include "sys/poll_window.hh"

#include <algorithm>

namespace ap {

void PollWindow::waited(Time time) noexcept
{
    if (time > longest_) {
        length_ = Time(0);
    } else if (time > length_) {
        // Not all at once: a short wait among long ones shall cost little.
        length_ = std::min(longest_, std::max(longest_ / 4, length_ * 2));
    }
}

} // namespace ap
