#pragma once

#include "sys/fd.hh"

#include <deque>
#include <functional>
#include <mutex>

namespace ap {

/// Calls that other threads leave for the thread whose poll loop this belongs to.
class Mailbox
{
public:
    using Call = std::function<void()>;

    /// Throws SystemError.
    Mailbox();

    /// Leaves a call; from any thread.
    void post(Call call);

    /// Readable while deliver() has something to call.
    int fd() const noexcept { return ready_.get(); }

    /// Makes the calls that were left, in their order, on the caller's thread. What one
    /// throws comes out of here; those after it are made by the next deliver().
    void deliver();

    /// The calls that were left and not yet made.
    size_t waiting() const;

private:
    Fd ready_;
    mutable std::mutex mutex_;
    std::deque<Call> calls_;
};

} // namespace ap
