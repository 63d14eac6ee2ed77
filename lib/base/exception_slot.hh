#pragma once

#include <exception>
#include <utility>

namespace ap {

/// Holds the first exception out of callbacks that a C library makes, through which none
/// may pass, until the library has returned.
class ExceptionSlot
{
public:
    /// Does `work`; false if it threw.
    template <typename Work>
    bool guard(const Work &work) noexcept
    {
        try {
            work();
            return true;
        } catch (...) {
            if (!first_) {
                first_ = std::current_exception();
            }
            return false;
        }
    }

    /// Throws what is held, once.
    void rethrow()
    {
        if (first_) {
            std::rethrow_exception(std::exchange(first_, nullptr));
        }
    }

private:
    std::exception_ptr first_;
};

} // namespace ap
