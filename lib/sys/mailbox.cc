#include "sys/mailbox.hh"

#include "base/error.hh"

#include <sys/eventfd.h>
#include <utility>

namespace ap {

Mailbox::Mailbox()
    : ready_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
{
    if (!ready_) {
        throw_errno("cannot make an eventfd");
    }
}

void Mailbox::post(Call call)
{
    const std::lock_guard lock(mutex_);
    calls_.push_back(std::move(call));
    if (calls_.size() == 1) {
        // The counter cannot overflow: it is emptied whenever the calls are.
        static_cast<void>(eventfd_write(ready_.get(), 1));
    }
}

void Mailbox::deliver()
{
    std::unique_lock lock(mutex_);
    // Only those that are there now: one may leave another.
    for (size_t left = calls_.size(); left > 0; left--) {
        const Call call = std::move(calls_.front());
        calls_.pop_front();
        if (calls_.empty()) {
            eventfd_t count = 0;
            static_cast<void>(eventfd_read(ready_.get(), &count));
        }
        lock.unlock();
        call();
        lock.lock();
    }
}

size_t Mailbox::waiting() const
{
    const std::lock_guard lock(mutex_);
    return calls_.size();
}

} // namespace ap
