#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace ap {

/// Counts what happened in the last ten minutes, to the ten seconds.
class ErrorWindow
{
public:
    using Milliseconds = std::chrono::milliseconds;

    /// One more at the monotonic time `now`.
    void note(Milliseconds now);
    int64_t count(Milliseconds now) const;

private:
    static constexpr Milliseconds step{10'000};
    static constexpr int64_t steps = 60;

    struct Slot
    {
        int64_t number = -1; ///< of the step it counts
        int64_t count = 0;
    };
    std::array<Slot, steps> slots_{};
};

} // namespace ap
