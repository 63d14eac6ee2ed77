#pragma once

#include <chrono>

namespace ap {

/// How long to look whether something is ready before going to sleep over it. To be woken
/// takes longer than many a wait on loopback would (some 25 us against 20 on a virtual
/// machine), but to look takes the processor. So it is done only while it pays: while
/// waits end within `longest`. One that does not is the last to be looked for, until
/// there are short ones again; a provider that takes seconds is never looked for. Linux
/// does the same for virtual machines that idle (halt polling).
class PollWindow
{
public:
    using Time = std::chrono::nanoseconds;

    /// With 0 it never pays.
    explicit PollWindow(Time longest = Time(0)) noexcept
        : longest_(longest)
    {
    }

    /// How long to look before the next sleep: 0 at first.
    Time length() const noexcept { return length_; }

    /// A wait has lasted that long, its looking and its sleeping.
    void waited(Time time) noexcept;

private:
    Time longest_;
    Time length_{0};
};

} // namespace ap
